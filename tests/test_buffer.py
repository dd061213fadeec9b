"""The buffer: any sequence of changes gives the list one would expect, and comes back from the disk as it was."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dwtsvc.buffer import Buffer, Leaf
from dwtsvc.errors import BadArguments, UnknownItem
from dwtsvc.model import Encoding, PageInfo, Raster, Step
from dwtsvc.sealing import Seal
from dwtsvc.store import PageStore

RASTER = Raster(width=10, height=5, channels=1, depth=8, bytes_per_line=10, dpi=300.0)
TURN = Step(name="rotate", values={"degrees": 90})


def stored(store: PageStore, owner: str, number: int) -> PageInfo:
    slot = store.folder(owner) / f"slot-{number}"
    slot.write_bytes(bytes([number % 256]) * 50)
    return store.add(owner, slot, number=number, back=False, encoding=Encoding.RAW, raster=RASTER)


@pytest.fixture
def buffer(tmp_path: Path) -> Buffer:
    store = PageStore(tmp_path / "pages", Seal(bytes(32)))
    return Buffer(store, store.begin({}))


def page(buffer: Buffer, at: int | None = None, **beside: object) -> Leaf:
    return buffer.place(lambda number: stored(buffer.store, buffer.owner, number), at, **beside)  # type: ignore[arg-type]


def reopened(buffer: Buffer) -> Buffer:
    buffer.store.leave(buffer.owner)
    later = PageStore(buffer.store.root, Seal(bytes(32)))
    later.resume(buffer.owner)
    return Buffer(later, buffer.owner)


def test_a_page_of_another_owner_is_copied_with_its_bytes(buffer: Buffer) -> None:
    job = buffer.store.begin({})
    source = stored(buffer.store, job, 1)
    leaf = buffer.insert(source)
    buffer.store.discard(job)
    with buffer.store.reading(leaf.page) as data:
        assert bytes(data) == bytes([1]) * 50
    assert len(leaf.id) == 22


def test_steps_are_undone_and_done_again_and_a_new_one_forgets_the_undone(buffer: Buffer) -> None:
    leaf = page(buffer)
    buffer.edit(leaf.id, TURN, Step(name="invert"))
    assert buffer.undo(leaf.id).steps == (TURN,)
    assert buffer.redo(leaf.id).steps == (TURN, Step(name="invert"))
    buffer.undo(leaf.id)
    assert buffer.edit(leaf.id, Step(name="gray")).undone == ()
    with pytest.raises(BadArguments):
        buffer.redo(leaf.id)
    for _ in range(2):
        buffer.undo(leaf.id)
    with pytest.raises(BadArguments):
        buffer.undo(leaf.id)
    assert buffer.leaf(leaf.id).page == leaf.page


def test_a_page_that_is_not_there_is_told(buffer: Buffer) -> None:
    leaf = page(buffer)
    buffer.remove([leaf.id])
    for ask in (buffer.leaf, buffer.undo, buffer.index, lambda id: buffer.remove([id]), lambda id: buffer.move(id, 0)):
        with pytest.raises(UnknownItem):
            ask(leaf.id)
    assert not buffer.store.path(leaf.page).exists()


def test_a_removed_page_is_no_page_after_a_restart_either(buffer: Buffer) -> None:
    first, second = page(buffer), page(buffer)
    buffer.edit(first.id, TURN)
    buffer.describe({"name": "letters"})
    buffer.remove([first.id])
    later = reopened(buffer)
    assert later.leaves == (second,) and later.metadata == {"name": "letters"}
    third = page(later)
    assert third.page.number == 3
    assert reopened(later).leaves == (second, third)


class AnyChanges(RuleBasedStateMachine):
    """The buffer against a plain list; a restart may come between any two changes."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        store = PageStore(Path(self.folder.name) / "pages", Seal(bytes(32)))
        self.buffer = Buffer(store, store.begin({}))
        self.model: list[Leaf] = []

    def pick(self, data: st.DataObject) -> int:
        return data.draw(st.integers(0, len(self.model) - 1))

    @rule(at=st.none() | st.integers(-2, 6))
    def insert(self, at: int | None) -> None:
        leaf = page(self.buffer, at)
        self.model.insert(len(self.model) if at is None else min(max(at, 0), len(self.model)), leaf)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        self.buffer.remove([self.model.pop(self.pick(data)).id])

    @precondition(lambda self: self.model)
    @rule(data=st.data(), to=st.integers(-1, 6))
    def move(self, data: st.DataObject, to: int) -> None:
        leaf = self.model.pop(self.pick(data))
        self.buffer.move(leaf.id, to)
        self.model.insert(min(max(to, 0), len(self.model)), leaf)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def swap(self, data: st.DataObject) -> None:
        a, b = self.pick(data), self.pick(data)
        self.buffer.swap(self.model[a].id, self.model[b].id)
        self.model[a], self.model[b] = self.model[b], self.model[a]

    @precondition(lambda self: self.model)
    @rule(data=st.data(), degrees=st.sampled_from([90, 180]), tags=st.lists(st.sampled_from("ab")))
    def beside(self, data: st.DataObject, degrees: int, tags: list[str]) -> None:
        at = self.pick(data)
        self.buffer.edit(self.model[at].id, Step(name="rotate", values={"degrees": degrees}))
        self.buffer.assign(self.model[at].id, "taxes")
        self.model[at] = self.buffer.tag(self.model[at].id, tags)
        assert self.model[at].tags == tuple(sorted(set(tags))) and self.model[at].document == "taxes"

    @rule()
    def restart(self) -> None:
        self.buffer = reopened(self.buffer)

    @invariant()
    def same(self) -> None:
        assert list(self.buffer.leaves) == self.model

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestAnyChanges = AnyChanges.TestCase
TestAnyChanges.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
