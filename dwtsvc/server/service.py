"""Service: what all faces share for the life of the process, and what it does by itself every few seconds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from dwtsvc.config import HostCertificate, Settings
from dwtsvc.devices.signs import Signs
from dwtsvc.devices.ways import as_known, once
from dwtsvc.jobs import Develop, Jobs
from dwtsvc.model import Mode
from dwtsvc.paths import Paths
from dwtsvc.sealing import MemoryKey, Seal
from dwtsvc.server.bridge import Bridge
from dwtsvc.server.confined import Confined
from dwtsvc.server.documents import Documents
from dwtsvc.server.findings import Findings
from dwtsvc.server.gate.consent import Consent
from dwtsvc.server.gate.token import Token
from dwtsvc.server.holdings import Holdings, Limits
from dwtsvc.server.rest.devicetext import Choice
from dwtsvc.server.scanners import Scanners
from dwtsvc.server.thumbs import Thumbs
from dwtsvc.server.uploads import Uploads
from dwtsvc.store import PageStore
from dwtsvc.version import __version__

if TYPE_CHECKING:
    from dwtsvc.certs.care import Care
    from dwtsvc.server.listen import Door

TIDY_EVERY = 1.0  # seconds
EXPIRE_EVERY = 3600.0

log = logging.getLogger(__name__)


class Service:
    """One for each process. Made before its event loop runs; `start` and `stop` are awaited on the loop."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        *,
        doors: Sequence[Door] = (),
        hosts: Sequence[HostCertificate] = (),
        care: Care | None = None,
        monitor_pid: int | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        self.settings, self.paths, self.hosts, self.care = settings, paths, tuple(hosts), care
        self.doors, self.monitor_pid, self.warnings = doors, monitor_pid, tuple(warnings)
        self.version, self.started = __version__, datetime.now(UTC)
        self.log_level = settings.log_level
        self._key = MemoryKey(paths.create(paths.runtime), paths.create(paths.state))
        self.store = PageStore(paths.create(paths.buffers), Seal(self._key.bytes))
        self.jobs = Jobs(
            self.store,
            paths.create(paths.locks),
            timeout=settings.scanner_timeout,
            cancel_grace=settings.cancel_grace,
            max_page_bytes=settings.max_page_bytes,
        )
        self.holdings = Holdings(
            self.store,
            self.jobs,
            pending_idle=settings.job_idle,
            limits=Limits(
                site=settings.origin_cache_limit,
                all=settings.cache_limit,
                share=settings.cache_share,
                pages=settings.job_pages,
                seconds=settings.job_time,
            ),
        )
        self.documents = Documents(paths.create(paths.storage))
        self.scanners = Scanners(
            settings.discovery_timeout,
            partial(as_known, settings=settings, paths=paths),
            partial(Signs, settings=paths.config_file),
        )
        self.choice = Choice(self)
        self.consent = Consent(paths.state, settings)
        self.token = Token(paths.state / "token")
        self.thumbs = Thumbs(settings.memory_limit)
        self.confined = Confined()
        self.findings = Findings(self.confined, paths.create(paths.runtime) / "findings")
        self.bridge = Bridge()
        self.uploads = Uploads(paths.upload, self.bridge)
        self.shared: Callable[[], list[dict[str, Any]]] = list
        self.share_warnings: Callable[[], list[str]] = list
        self._tidying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find what an earlier service left, and begin to tidy up."""
        found = await self.bridge.run(self.holdings.restore)
        log.info("started, %d jobs and buffers were there", found)
        self._tidying = asyncio.create_task(self._tidy())

    async def stop(self) -> None:
        """Cancel what runs; what was acknowledged stays on the disk."""
        if self._tidying:
            self._tidying.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tidying
        await asyncio.to_thread(self.scanners.close)
        await asyncio.to_thread(self.jobs.close)
        await asyncio.to_thread(self.confined.close)
        self.documents.close()
        self.bridge.close()
        self.findings.clear()
        self.store.close()

    def develop(self, mode: Mode) -> Develop:
        """What becomes of a scanned page before it is stored: the mode that was asked for, lossless and compact."""
        from dwtsvc.formats import PageEncoder
        from dwtsvc.pipeline.develop import Developer

        return Developer(mode, PageEncoder("png", quality=self.settings.quality), self.settings.quality, compact=True)

    def image_url(self, bucket: str, client: str, index: int, image: str) -> str:
        """The address of an image of a client's buffer, good in an `<img>` for ten minutes, also where others move."""
        query = urlencode({"id": client, "index": index, "image": image})
        return self.token.signed(bucket, f"/dwt/dwt_{self.version.replace('.', '')}/img?{query}")

    def status(self) -> dict[str, Any]:
        """What `dwtsvc status --json` and the welcome page tell."""
        return {
            "pid": os.getpid(),
            "monitor_pid": self.monitor_pid,
            "version": self.version,
            "started": self.started.isoformat(timespec="seconds"),
            "ports": [door.record() for door in self.doors],
            "jobs": [
                {
                    "id": held.uid,
                    "origin": held.bucket,
                    "device": held.job.request.device,
                    "state": held.job.state.value,
                }
                for held in self.holdings.jobs()
            ],
            "devices": [
                {"id": each.id, "name": each.label, "virtual": each.virtual} for each in once(self.scanners.last)
            ],
            "shared": self.shared(),
            "certificate": self.care.findings if self.care else None,
            "log_level": self.log_level,
            "warnings": [*self.warnings, *self.share_warnings()],
        }

    async def _tidy(self) -> None:
        """Once a second: end what is idle. A fault in it is told and does not end it."""
        loop = asyncio.get_running_loop()
        expire_at = loop.time()
        while True:
            try:
                await self.bridge.run(self.holdings.end_idle)
                await self.bridge.run(self.jobs.close_idle, self.settings.worker_idle)
                await self.bridge.run(self.confined.close_idle, self.settings.worker_idle)
                if self.care and self.care.touched():  # by the command, or by the owner's own hand
                    await self.bridge.run(self.care.catch_up)
                if loop.time() >= expire_at:
                    expire_at = loop.time() + EXPIRE_EVERY
                    age = timedelta(days=self.settings.keep_days)
                    await self.bridge.run(self.holdings.expire, age)
                    await self.bridge.run(self._key.keep, age)
                    if self.care:
                        await self.bridge.run(self.care.look)
            except Exception:
                log.exception("tidying up failed")
            await asyncio.sleep(TIDY_EVERY)
