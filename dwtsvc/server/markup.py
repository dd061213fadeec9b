"""HTML as text: what is put into an element is escaped, unless it was made here."""

from __future__ import annotations

from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *content: str, **attributes: str | bool | None) -> Markup:
    """`<name attributes>content</name>`. In an attribute's name `_` is `-`, and one at the end is dropped; True gives
    the bare name, and neither False nor None gives anything."""
    said = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    return Markup(f"<{name}{said}>{joined(*content)}</{name}>")


def joined(*content: str) -> Markup:
    """Pieces one after the other, escaped where they are not HTML."""
    return Markup("".join(each if isinstance(each, Markup) else escape(each) for each in content))


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{escape(value)}"'
