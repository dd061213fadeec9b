"""The REST API under /api: its routes by noun, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dwtsvc.server import rest_documents, rest_jobs, rest_pages, rest_process, rest_scanners, rest_server
from dwtsvc.server.devicetext import Choice

if TYPE_CHECKING:
    from dwtsvc.server.service import Service


def routes(service: Service) -> list[Any]:
    """All handlers, each with its access class."""
    return [
        *rest_server.routes(service),
        *rest_scanners.routes(service),
        *rest_jobs.routes(service, Choice(service)),
        *rest_pages.routes(service),
        *rest_documents.routes(service),
        *rest_process.routes(service),
    ]
