"""The REST API under /api: its routes by noun, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dwtsvc.server.rest import documents, jobpages, jobs, process, scanners, server, splits, texts, webcam

if TYPE_CHECKING:
    from dwtsvc.server.service import Service


def routes(service: Service) -> list[Any]:
    """All handlers, each with its access class."""
    nouns = (server, scanners, jobs, jobpages, documents, process, texts, splits, webcam)
    return [route for noun in nouns for route in noun.routes(service)]
