"""Signals that ask a command to stop."""

from __future__ import annotations

import signal

import pytest

from dwtsvc_cli import stopping


def test_a_signal_that_comes_twice_at_once_stops_the_work_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As timeout(1) sends it: to the process, and to the group that it is in."""
    ended: list[int] = []
    begun: list[bool] = []
    monkeypatch.setattr(stopping.os, "_exit", ended.append)
    monkeypatch.setattr(stopping, "ONCE", 1000.0)  # however long this test is kept waiting between the two
    stop = stopping.Stopping(lambda: begun.append(True))
    stop(signal.SIGTERM, None)
    stop(signal.SIGTERM, None)
    assert (ended, begun) == ([], [True])
    monkeypatch.setattr(stopping, "ONCE", 0.0)
    stop(signal.SIGTERM, None)
    assert ended == [130] and begun == [True]


def test_a_second_ctrl_c_counts_however_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(stopping.os, "_exit", ended.append)
    stop = stopping.Stopping(lambda: None)
    stop(signal.SIGINT, None)
    stop(signal.SIGINT, None)
    assert ended == [130]
