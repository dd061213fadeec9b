"""Bodies as strictly as they are described: Litestar takes "1" for 1 and 1 for true."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from litestar import Request

from dwtsvc.errors import BadArguments

T = TypeVar("T", bound=msgspec.Struct)


async def strict(request: Request[Any, Any, Any], data: T) -> T:
    """The body that Litestar made `data` from, read again without conversions. Raises BadArguments."""
    try:
        return msgspec.json.decode(await request.body(), type=type(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadArguments("The request is not as it should be", why=str(error)) from error
