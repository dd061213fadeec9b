"""Stored documents: they persist, they are their owner's alone, and with a password they are closed to all others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dwtsvc.buffer import Buffer
from dwtsvc.errors import BadArguments, UnknownItem, WrongPassword
from dwtsvc.model import Encoding, PageInfo, Raster
from dwtsvc.server import documents as documents_module
from dwtsvc.server.documents import Documents

SITE, OTHER = "https://a.example", "https://b.example"
RASTER = Raster(width=10, height=5, channels=1, depth=8, bytes_per_line=10, dpi=300.0)
ROWS = bytes(range(50))


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    found = Documents(tmp_path / "storage")
    yield found
    found.close()


def fill(buffer: Buffer) -> None:
    def store(number: int) -> PageInfo:
        slot = buffer.store.folder(buffer.owner) / "slot"
        slot.write_bytes(ROWS)
        kind = Encoding.RAW
        return buffer.store.add(buffer.owner, slot, number=number, back=False, encoding=kind, raster=RASTER)

    buffer.place(store)


def restarted(documents: Documents, tmp_path: Path) -> Documents:
    documents.close()
    return Documents(tmp_path / "storage")


def test_a_document_survives_a_restart_with_its_pages_and_metadata(documents: Documents, tmp_path: Path) -> None:
    uid, buffer = documents.create(SITE)
    fill(buffer)
    buffer.describe({"title": "letters"})
    later = restarted(documents, tmp_path)
    again = later.open(SITE, uid)
    assert again.leaves == buffer.leaves and again.metadata == {"title": "letters"}
    assert [stored.uid for stored in later.listed(SITE)] == [uid]
    later.close()


def test_a_document_is_unknown_to_others(documents: Documents) -> None:
    uid, _ = documents.create(SITE, "secret")
    for bucket, name in ((OTHER, uid), ("", uid), (SITE, "no-such-document-at-all"), (SITE, "../" + uid)):
        for act in (documents.open, documents.delete):
            with pytest.raises(UnknownItem):
                act(bucket, name, "secret")
    assert documents.listed(OTHER) == []


@pytest.mark.parametrize("fresh", [False, True])
def test_a_password_opens_and_nothing_else_does(documents: Documents, tmp_path: Path, fresh: bool) -> None:
    uid, buffer = documents.create(SITE, "secret")
    fill(buffer)
    buffer.describe("hidden words")
    if fresh:
        documents = restarted(documents, tmp_path)
    for wrong in ("", "Secret", "secret ", "s" * 10_000):
        with pytest.raises(WrongPassword):
            documents.open(SITE, uid, wrong)
        with pytest.raises(WrongPassword):
            documents.delete(SITE, uid, wrong)
    opened = documents.open(SITE, uid, "secret")
    with opened.store.reading(opened.leaves[0].page) as data:
        assert bytes(data) == ROWS
    on_disk = b"".join(path.read_bytes() for path in (tmp_path / "storage").rglob("*") if path.is_file())
    assert ROWS not in on_disk and b"hidden words" not in on_disk and b"secret" not in on_disk
    documents.close()


def test_a_password_is_not_too_long(documents: Documents) -> None:
    documents.create(SITE, "p" * 32)
    with pytest.raises(BadArguments):
        documents.create(SITE, "p" * 33)


def test_a_deleted_document_leaves_nothing(documents: Documents, tmp_path: Path) -> None:
    uid, buffer = documents.create(SITE)
    fill(buffer)
    documents.delete(SITE, uid)
    assert not list((tmp_path / "storage").iterdir())
    with pytest.raises(UnknownItem):
        documents.open(SITE, uid)


def test_many_documents_need_few_open_files(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents_module, "KEPT_OPEN", 3)
    monkeypatch.setattr(documents_module, "IN_USE", 0.0)
    made = [documents.create(SITE, "secret" if number % 2 else "") for number in range(10)]
    for _, buffer in made[-3:]:
        fill(buffer)
    assert len(documents._open) == 3
    for number, (uid, _) in enumerate(made):
        opened = documents.open(SITE, uid, "secret" if number % 2 else "")
        assert len(opened) == (number >= 7)


def test_what_another_request_has_just_deleted_is_unknown_and_names_nobody_elses(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, (uid, _) = documents.create(OTHER)[1], documents.create(SITE)
    lock = documents._lock

    class SomebodyElseFirst:
        def __enter__(self) -> None:
            monkeypatch.setattr(documents, "_lock", lock)
            documents.delete(SITE, uid)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    documents._let_go(uid)
    monkeypatch.setattr(documents, "_lock", SomebodyElseFirst())
    with pytest.raises(UnknownItem) as refused:
        documents.open(SITE, uid)
    assert other.owner not in refused.value.hint


def test_of_two_who_delete_a_document_at_once_one_is_told_that_it_is_unknown(
    documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid, _ = documents.create(SITE)
    opened = documents.open

    def then_another(bucket: str, name: str, password: str = "") -> Buffer:
        buffer = opened(bucket, name, password)
        monkeypatch.setattr(documents, "open", opened)
        documents.delete(bucket, name, password)
        return buffer

    monkeypatch.setattr(documents, "open", then_another)
    with pytest.raises(UnknownItem):
        documents.delete(SITE, uid)


def test_a_list_may_be_made_while_documents_are(documents: Documents) -> None:
    documents.create(SITE)

    class Growing(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            documents.create(OTHER)
            return str(self) == other

    assert len(documents.listed(Growing(SITE))) == 1


def test_the_room_of_documents_is_known_without_reading_their_journals(
    documents: Documents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents_module, "KEPT_OPEN", 1)
    monkeypatch.setattr(documents_module, "IN_USE", 0.0)
    for _ in range(2):
        fill(documents.create(SITE)[1])
    later = restarted(documents, tmp_path)
    uid = later.listed(SITE)[0].uid
    fill(later.open(SITE, uid))
    for store in (documents._store, later._store):
        monkeypatch.setattr(store, "pages", None)
    assert documents.used(SITE) == 2 * len(ROWS) and later.used(SITE) == 3 * len(ROWS)
    monkeypatch.undo()
    later.delete(SITE, uid)
    assert later.used(SITE) == len(ROWS) and later.used(OTHER) == 0
    later.close()
