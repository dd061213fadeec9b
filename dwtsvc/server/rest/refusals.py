"""What Litestar itself refuses, as we say it: unknown addresses, wrong methods, bodies and values that do not fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    ValidationException,
)

from dwtsvc.errors import BadArguments, DwtsvcError, TooLarge, TooMany, UnknownCoding, UnknownItem, WrongMethod
from dwtsvc.server import faults

ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE")
NO_NAMES: Mapping[str, str] = {}
_ADDRESS = re.compile(r" for path .*", re.DOTALL)  # with its query, which no answer repeats
_BY_STATUS: dict[int, type[DwtsvcError]] = {413: TooLarge, 415: UnknownCoding, 429: TooMany}


def handlers() -> dict[Any, Any]:
    """For Litestar's `exception_handlers`: whatever is raised is answered with the one error object."""
    return {Exception: render, HTTPException: render}


def render(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    status, headers, body = faults.answer(of_litestar(error, request.method, _sent_names(request)))
    said = {name.decode(): value.decode() for name, value in headers if name != b"content-length"}
    if isinstance(error, MethodNotAllowedException):
        said["allow"] = ", ".join(_with_head(_allowed(error)))
    return Response(body, status_code=status, headers=said, media_type="application/json")


def of_litestar(error: Exception, method: str = "", names: Mapping[str, str] = NO_NAMES) -> DwtsvcError:
    """An exception of Litestar as one of ours; any other as `faults.known` has it.

    `names` tells what callers call a parameter, by the handler's own name for it.
    """
    if isinstance(error, MethodNotAllowedException):
        return WrongMethod(f"{method} is not allowed here", hint=f"Allowed: {', '.join(_allowed(error))}.")
    if isinstance(error, ValidationException):
        return BadArguments("The request is not as it should be", why=_faulty(error, names))
    if isinstance(error, HTTPException) and 400 <= error.status_code < 500:
        if error.status_code == 404:
            return UnknownItem("There is nothing at this address", hint="See /schema/openapi.json.")
        kind = _BY_STATUS.get(error.status_code, BadArguments)
        return kind("The request cannot be understood", why=error.detail)
    if type(error) is InternalServerException:  # the client went away before its body was here
        return BadArguments("The body of the request broke off")
    return faults.known(error)


def _allowed(error: HTTPException) -> list[str]:
    """The methods that a route has, but for the one that every route has."""
    named = [each.strip() for each in (error.headers or {}).get("allow", "").split(",")]
    return [each for each in ORDER if each in named]


def _with_head(methods: list[str]) -> list[str]:
    """The guard has HEAD answered wherever GET is. The published texts of this error do not name it."""
    return [each for method in methods for each in ((method, "HEAD") if method == "GET" else (method,))]


def _sent_names(request: Request[Any, Any, Any]) -> dict[str, str]:
    handler = request.scope.get("route_handler")
    parameters = handler.parsed_fn_signature.parameters if handler else {}
    named = {own: getattr(each.kwarg_definition, "name", None) for own, each in parameters.items()}
    return {own: sent for own, sent in named.items() if sent} | {"data": "body"}


def _faulty(error: ValidationException, names: Mapping[str, str]) -> str:
    """What does not fit, of each value that does not; nothing of what was sent."""
    said = error.extra if isinstance(error.extra, list) else []
    parts = [
        f"{names.get(key := each.get('key', 'body'), key)}: {each.get('message', '')}"
        for each in said
        if isinstance(each, dict)
    ]
    return "; ".join(parts) or _ADDRESS.sub("", error.detail)
