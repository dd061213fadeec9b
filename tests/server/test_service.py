"""The life of a service in this process: what it says of its key while it runs, and what is left when it stopped."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest

from dwtsvc import sealing
from dwtsvc.config import Settings
from dwtsvc.paths import Paths
from dwtsvc.server.service import Service
from tests.disks import open_files

PATIENCE = 30.0  # seconds after which a test gives up waiting


@pytest.mark.skipif(not sealing._is_memory(sealing.SHARED_MEMORY), reason="no memory file system here")
def test_its_key_is_needed_as_long_as_pages_are_kept(tmp_path: Path) -> None:
    paths = Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})
    file = sealing.shared_folder(paths.state) / "key"
    kept = time.time() + timedelta(days=7).total_seconds()

    async def main() -> None:
        service = Service(Settings(keep_days=7), paths)
        await service.start()
        async with asyncio.timeout(PATIENCE):
            while file.stat().st_mtime < kept:
                await asyncio.sleep(0.02)
        await service.stop()

    asyncio.run(main())
    assert kept < file.stat().st_mtime < kept + timedelta(days=2).total_seconds()


def test_what_it_had_open_is_closed_and_free_for_the_next_one(tmp_path: Path) -> None:
    paths = Paths.from_environment({"DWTSVC_HOME": str(tmp_path)})

    async def main() -> str:
        service = Service(Settings(), paths)
        owner = service.holdings.buffer("tools", "1").owner
        uid, _ = service.documents.create("tools")
        assert uid and open_files(tmp_path)
        await service.stop()
        return owner

    owner = asyncio.run(main())
    assert not open_files(tmp_path)
    later = Service(Settings(), paths)
    assert later.holdings.restore() == 1
    assert later.holdings.buffer("tools", "1").owner == owner
    asyncio.run(later.stop())
