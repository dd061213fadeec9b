"""The doors as a process of their own: `python -m tests.server.program '{"http_ports": [1]}' [CERTIFICATE KEY]`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

from dwtsvc.config import Settings
from dwtsvc.errors import DwtsvcError
from dwtsvc.paths import Paths
from dwtsvc.server import listen
from tests.server.running import Echo, FakeCare


class Program(Echo):
    """/wait/SECONDS answers after that time; what happens to the application's life is printed."""

    async def start(self) -> None:
        print("start", flush=True)

    async def stop(self) -> None:
        print("stop", flush=True)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/wait/"):
            print("waiting", flush=True)
            await asyncio.sleep(float(scope["path"].removeprefix("/wait/")))
        if scope["path"] == "/stream":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await scope["extensions"]["dwtsvc.connection"].stopping.wait()
            return await send({"type": "http.response.body", "body": b"ended"})
        return await super().__call__(scope, receive, send)


def main(settings: str, *pair: str) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(settings).items()}
    grace = given.pop("grace", 5.0)
    expose = given.pop("expose", False)
    care = FakeCare((Path(pair[0]), Path(pair[1]))) if pair else None
    try:
        listen.run(
            Settings(**given),
            (),
            Paths.from_environment(os.environ),
            lambda doors: Program(),
            care=care,
            expose=expose,
            monitor_pid=os.getppid(),
            grace=grace,
        )
    except DwtsvcError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
