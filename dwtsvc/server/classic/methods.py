"""How a method of the classic protocol is declared: its name, who may call it, what it wants, and what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from dwtsvc.server.gate.access import Access

Result = list[Any]
Wants = TypeVar("Wants", bound=msgspec.Struct)


class Nothing(msgspec.Struct, frozen=True):
    """A method that needs nothing."""


class Index(msgspec.Struct, frozen=True):
    """`index` counts from 0."""

    index: int


class Indices(msgspec.Struct, frozen=True):
    """`indices` count from 0; without them the selected images are meant, else the current one."""

    indices: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """`call` is blocking and gets the client and what was sent as `params`; its docstring is the documentation.

    `outside` says that it waits for a device or another machine, `confined` for a confined child. One that is `told`
    works on page after page in such children, is called with a third argument, and says there how far it is.
    """

    name: str
    access: Access
    wants: type[msgspec.Struct]
    call: Callable[..., Any]
    awaited: bool = False
    outside: bool = False
    confined: bool = False
    told: bool = False


class Group(dict[str, Method]):
    """Methods by their names, in the order in which they are declared."""

    def method(
        self,
        name: str,
        access: Access,
        wants: type[Wants],
        *,
        awaited: bool = False,
        outside: bool = False,
        confined: bool = False,
        told: bool = False,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Declare a function as a method; `awaited` says that it is a coroutine."""

        def declare(call: Callable[..., Any]) -> Callable[..., Any]:
            self[name] = Method(name, access, wants, call, awaited, outside, confined, told)
            return call

        return declare
