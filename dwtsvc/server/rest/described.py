"""What the OpenAPI document says of a route beside its types: refusals, examples, and answers that are no JSON."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import (
    Example,
    Link,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    RequestBody,
    Schema,
)

from dwtsvc.server.rest.model import Problem

Responses = dict[int, ResponseSpec]
Links = dict[str, dict[str, str]]

JSON = "application/json"
GUARD = (401, 403, 413, 414, 415, 429, 431)  # any request may be answered so
ALWAYS = (400, 500, 507)
SAID = {
    204: "There is none.",
    404: "It is unknown, or somebody else's.",
    409: "Its state does not allow it.",
    410: "It was deleted.",
}


def problems(*statuses: int, none: bool = False) -> Responses:
    """The refusals that a route knows of its own, with those that any has; `none` adds that there may be nothing."""
    said = {status: _refusal(status) for status in sorted({*statuses, *GUARD, *ALWAYS})}
    return {204: ResponseSpec(None, description=SAID[204], generate_examples=False), **said} if none else said


def _refusal(status: int) -> ResponseSpec:
    return ResponseSpec(Problem, description=_words(status), generate_examples=False)


def _words(status: int) -> str:
    return SAID.get(status) or f"{HTTPStatus(status).phrase}."


def described(
    *,
    body: Any = None,
    answer: Any = None,
    types: tuple[str, ...] = (),
    optional: bool = False,
    links: Links | None = None,
) -> type[Operation]:
    """A route with an example of its body, which may be `optional`, and of its answer, or that answers bytes.

    `links` are the routes that take something of the answer: by operation id, where each parameter is found in it.
    """

    @dataclass
    class Described(Operation):
        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody):
                self.request_body.required = not optional
                _exemplify(self.request_body.content, body)
            for status, response in (self.responses or {}).items():
                if not status.startswith("2") or not isinstance(response, OpenAPIResponse) or not response.content:
                    continue
                if types:
                    response.content = {each: _media(each, response.content) for each in types}
                _exemplify({each: media for each, media in response.content.items() if _is_answer(each, types)}, answer)
                response.links = {
                    name: Link(operation_id=name, parameters=dict(at)) for name, at in (links or {}).items()
                }

    return Described


def _exemplify(content: dict[str, OpenAPIMediaType], value: Any) -> None:
    for media in content.values() if value is not None else ():
        media.examples = {"example": Example(value=value)}


def _is_answer(media_type: str, types: tuple[str, ...]) -> bool:
    """Whether the example of an answer is one of this type: files and events look otherwise."""
    return not types or media_type == JSON


def _media(media_type: str, known: dict[str, OpenAPIMediaType]) -> OpenAPIMediaType:
    """A type of an answer: JSON as the route's own type describes it, else bytes."""
    if media_type != JSON:
        return _binary()
    found = known.get(JSON)
    described = found is not None and found.schema is not None and getattr(found.schema, "type", None) != "string"
    return found if found and described else OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT))


def _binary() -> OpenAPIMediaType:
    return OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, content_encoding="binary"))
