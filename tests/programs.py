"""Programs that tests have started."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.server.daemon import until


def begun_first(monkeypatch: pytest.MonkeyPatch, has_begun: Callable[[], object]) -> None:
    """From now on who starts a program has it when it has begun: what limits its time does not count its start, which
    takes seconds on a machine that has other work."""

    class Begun(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            until(lambda: has_begun() or self.poll() is not None)

    monkeypatch.setattr(subprocess, "Popen", Begun)
