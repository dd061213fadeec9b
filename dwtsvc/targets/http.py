"""A web form: the file and what is known of it in one POST, as a browser would send them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from dwtsvc.targets.parcel import Arrival, Facts, Parcel
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.target import Target
from dwtsvc.targets.web import Web, led_to


class Form:
    """Any server that takes a file in a field of a form, and answers 2xx when it has it.

    Nothing says whether an attempt whose answer was lost had arrived: an `Idempotency-Key`, the same in each attempt,
    lets a server that knows it take a file once.
    """

    def __init__(self, target: Target, secret: str | None, deadline: Deadline) -> None:
        self._target, self._web = target, Web(target, secret, deadline)

    def __enter__(self) -> Form:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    def carry(self, parcel: Parcel) -> Arrival:
        fields = {**described(parcel.facts, self._target), **self._target.form}
        reply = self._web.ask(
            "POST",
            self._target.url,
            headers={"Idempotency-Key": parcel.id},
            parcel=parcel,
            body=lambda file: {
                "files": {self._target.file_field: (parcel.name, file, parcel.media_type)},
                "data": fields,
            },
        )
        made = led_to(reply)
        here = made.netloc == urlsplit(reply.url).netloc
        location = made._replace(query="", fragment="").geturl() if here else self._target.shown
        return Arrival(location=location, verified="answer")


def described(facts: Facts, target: Target) -> dict[str, Any]:
    """The fields of a form for what is known; tags are one field that comes several times."""
    fields = {
        "title": facts.title,
        "created": facts.created,
        "correspondent": facts.correspondent or target.correspondent,
        "archive_serial_number": "" if facts.asn is None else str(facts.asn),
        "tags": list(dict.fromkeys((*target.tags, *facts.tags))),
    }
    return {name: value for name, value in fields.items() if value}
