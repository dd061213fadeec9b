"""schemathesis against the real service: every REST call as described, by examples, edges, chance and in a row."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.server.faces import serving

SECONDS = 40  # for the phases that go on for as long as they may
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
    "response_headers_conformance,negative_data_rejection"
)
# An address can become so long that it is refused for that before anybody looks at its parameters.
CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431]
"""
# What lasts until the client goes, which this one does not; and what would change the log that is looked into.
LEFT_OUT = (
    "--exclude-path-regex",
    "/events$",
    "--exclude-operation-id",
    "changeServer",
)


def test_no_call_of_the_document_breaks_it(tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    with serving(tmp_path / "home", DWTSVC_DEVICE="virtual:adf?pages=1") as served:
        command = [
            *(
                str(Path(sys.executable).with_name("schemathesis")),
                "--config-file",
                str(tmp_path / "schemathesis.toml"),
            ),
            *("run", f"{served.url}/schema/openapi.json"),
            *(
                "--checks",
                CHECKS,
                "--max-time",
                str(SECONDS),
                "--seed",
                "3",
                "--request-timeout",
                str(SECONDS),
                "--max-examples",
                "20",
                "--no-color",
            ),
            *("--generation-database", "none", *LEFT_OUT),
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS + 50)
        assert done.returncode == 0, done.stdout[-60000:] + done.stderr[-2000:]
        log = (served.home / "log" / "dwtsvc.log").read_text(errors="replace")
    assert "Traceback" not in log and "internal error" not in log
    assert json.dumps(done.stdout).count("Stateful") >= 1
