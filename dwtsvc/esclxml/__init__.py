"""eSCL documents and the records they stand for, both ways: what a scanner can do, how it is, what is asked of it."""

from __future__ import annotations

from dwtsvc.esclxml.reading import MOST_BYTES, clean, description, parse, status, ticket, uuid_of
from dwtsvc.esclxml.records import (
    JPEG,
    PDF,
    PNG,
    TUNINGS,
    UNITS,
    VERSION,
    Description,
    Input,
    JobStatus,
    Status,
    Ticket,
    Tuning,
)
from dwtsvc.esclxml.writing import (
    buffer_document,
    description_document,
    image_document,
    status_document,
    ticket_document,
)

__all__ = [
    "JPEG",
    "MOST_BYTES",
    "PDF",
    "PNG",
    "TUNINGS",
    "UNITS",
    "VERSION",
    "Description",
    "Input",
    "JobStatus",
    "Status",
    "Ticket",
    "Tuning",
    "buffer_document",
    "clean",
    "description",
    "description_document",
    "image_document",
    "parse",
    "status",
    "status_document",
    "ticket",
    "ticket_document",
    "uuid_of",
]
