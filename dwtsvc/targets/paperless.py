"""paperless-ngx: a document with its title, tags and serial number goes to its consumer.

What is answered is the id of the task that will take the document in; whether that succeeds is told by paperless
itself. A file that it has already is refused there, which makes a second attempt harmless.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from dwtsvc.errors import BadArguments, BadConfiguration
from dwtsvc.targets.http import described
from dwtsvc.targets.parcel import Arrival, Facts, Parcel
from dwtsvc.targets.patience import Deadline
from dwtsvc.targets.target import Target
from dwtsvc.targets.web import Reply, Web

POST_DOCUMENT = "api/documents/post_document/"
_JSON = {"Accept": "application/json"}
_LISTS = {  # field of the form -> where its ids are listed
    "correspondent": "correspondents",
    "document_type": "document_types",
    "storage_path": "storage_paths",
}


class Paperless:
    """One paperless-ngx; the URL of the target is its front page. Without a token it takes nothing."""

    def __init__(self, target: Target, secret: str | None, deadline: Deadline) -> None:
        if secret is None:
            raise BadConfiguration(
                f"There is no token for {target.name}",
                hint=f"Make one in your profile there; `dwtsvc config secret set {target.secret}` asks for it.",
            )
        self._target, self._web = target, Web(target, secret, deadline, scheme="Token")
        self._base = target.shown.rstrip("/") + "/"

    def __enter__(self) -> Paperless:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.__exit__()

    def carry(self, parcel: Parcel) -> Arrival:
        fields = self._fields(parcel.facts)
        reply = self._web.ask(
            "POST",
            self._base + POST_DOCUMENT,
            headers=_JSON,
            parcel=parcel,
            body=lambda file: {"files": {"document": (parcel.name, file, parcel.media_type)}, "data": fields},
        )
        task = self._task(reply)
        location = f"{self._base}api/tasks/?{urlencode({'task_id': task})}" if task else self._base
        return Arrival(location=location, verified="answer", id=task)

    def _fields(self, facts: Facts) -> dict[str, Any]:
        fields = described(facts, self._target)
        named = {"document_type": self._target.document_type, "storage_path": self._target.storage_path}
        fields |= {name: value for name, value in named.items() if value}
        for field, listed in _LISTS.items():
            if field in fields:
                fields[field] = self._id(listed, fields[field])
        if "tags" in fields:
            fields["tags"] = [self._id("tags", tag) for tag in fields["tags"]]
        return fields

    def _id(self, listed: str, name: str) -> str:
        """The id of a tag or correspondent by its name; digits are an id. Raises BadArguments if there is none."""
        if name.isascii() and name.isdigit():
            return name
        query = urlencode({"name__iexact": name})
        reply = self._web.ask("GET", f"{self._base}api/{listed}/?{query}", headers=_JSON)
        found = _read(reply)
        results = found.get("results") if isinstance(found, dict) else None
        if not isinstance(results, list):
            raise self._strange(reply)
        for each in results:
            if isinstance(each, dict) and str(each.get("name", "")).lower() == name.lower():
                return str(each.get("id", ""))
        raise BadArguments(
            f"{self._target.name} has no '{name}' among its {listed}", hint="Make it there first, or name another."
        )

    def _task(self, reply: Reply) -> str:
        """The id of the task; "" from old versions, which say no more than OK."""
        answer = _read(reply)
        if answer == "OK":
            return ""
        try:
            return str(UUID(answer))
        except (ValueError, AttributeError, TypeError):
            raise self._strange(reply) from None

    def _strange(self, reply: Reply) -> Exception:
        return self._web.refused(
            f"the answer of {reply.status} is not one of paperless-ngx", "The address must be that of its front page."
        )


def _read(reply: Reply) -> Any:
    try:
        return json.loads(reply.text)
    except ValueError:
        return None
