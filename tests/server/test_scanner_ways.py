"""The service lists a scanner once that several drivers see: by the best way of those that were asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from tests.devices.esclserver import UUID, FakeScanner
from tests.devices.test_escl_peers import AIRSCAN, configured, needs
from tests.server.daemon import until
from tests.server.faces import PATIENCE, serving

BEST, OTHER = f"escl:{UUID}", "sane:airscan:e0:fake"


def test_a_scanner_that_airscan_sees_too_is_listed_once_and_scanned_by_either_way(tmp_path: Path) -> None:
    needs("airscan")
    with FakeScanner() as scanner:
        sane = configured(tmp_path / "sane", "airscan", AIRSCAN.format(url=scanner.url))["SANE_CONFIG_DIR"]
        ours = {"SANE_CONFIG_DIR": sane, "DWTSVC_ESCL_DEVICES": scanner.url, "DWTSVC_DEVICE": ""}
        running = serving(tmp_path / "home", **ours)
        with running as served, httpx.Client(base_url=served.url, timeout=PATIENCE) as client:

            def listed(**wanted: Any) -> list[tuple[str, list[str]]]:
                found = client.get("/api/device/scanners", params=wanted).json()
                return [(each["id"], each["also"]) for each in found if not each["virtual"]]

            assert listed(type=256 + 512) == [(BEST, [OTHER])]
            assert listed(type=256) == listed() == [(OTHER, [])]  # clients that know no eSCL have it all the same
            same = client.post("/f/GetDevices", json={"params": {"deviceType": 5104}}).json()["result"]
            assert [each["id"] for each in same if not each["virtual"]] == [BEST]
            known = client.get("/api/server/status").json()["devices"]
            assert [each["id"] for each in known if not each["virtual"]] == [BEST]
            assert client.post("/web/devices", json={}).json() == {"count": 3}
            for way in (BEST, OTHER):
                job = client.post("/api/device/scanners/jobs", json={"device": way}).json()["jobuid"]
                page = client.get(f"/api/device/scanners/jobs/{job}/next-page")
                assert page.status_code == 200, page.text
                client.delete(f"/api/device/scanners/jobs/{job}")
                until(lambda: scanner.idle)
