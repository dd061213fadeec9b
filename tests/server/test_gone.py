"""Folders that somebody deletes beside a running service, and an address that means every network card."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dwtsvc.config import Settings
from dwtsvc.errors import UnknownItem
from dwtsvc.server.documents import Documents
from dwtsvc.server.doors.sockets import open_doors
from tests.server.running import free_port
from tests.server.test_holdings import Place


def test_every_network_card_is_no_address_and_that_is_said() -> None:
    for server in ("0.0.0.0", "::"):
        settings = Settings(http_ports=(free_port(),), https_ports=(free_port(),), server=server)
        openings = open_doors(settings, expose=True)
        for each in openings:
            each.close()
        [door] = [each.door for each in openings if each.door.exposed]
        assert door.state == "failed" and "network card" in door.reason


def test_a_job_begins_also_where_the_folder_of_pages_was_deleted(tmp_path: Path) -> None:
    place = Place(tmp_path)
    shutil.rmtree(tmp_path / "buffers")
    held = place.begin()
    held.job.wait()
    assert len(held.job.pages) == 2 and (tmp_path / "buffers").stat().st_mode & 0o777 == 0o700
    place.jobs.close()


def test_a_document_whose_folder_was_deleted_is_unknown_and_not_listed(tmp_path: Path) -> None:
    root = tmp_path / "storage"
    uid, _ = Documents(root).create("a")
    documents = Documents(root)
    shutil.rmtree(root)
    for call in (documents.open, documents.delete):
        with pytest.raises(UnknownItem):
            call("a", uid)
    assert documents.listed("a") == []
