"""Sockets that hear one network only, by a filter in the kernel (classic BPF). Linux alone has it.

A socket that joined a multicast group at one card is given, on Linux, what any program of the machine joined at any
card: questions from another network, which would be answered there. IP_MULTICAST_ALL is made to end that, but with it
a kernel (6.18) was seen to give a datagram to the wrong one of two sockets at a port.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterator
from typing import Protocol

from dwtsvc.server.airscan.networks import Network

_SO_ATTACH_FILTER = 26
_IN_THE_IP_HEADER = 0xFFF00000  # by such addresses a filter reads what is before the datagram
_SOURCE = {4: 12, 6: 8}  # where the sender stands in it
_LOAD, _AND, _IS, _RETURN = 0x20, 0x54, 0x15, 0x06
_WHOLE = 0xFFFFFFFF


class Socket(Protocol):
    def setsockopt(self, level: int, option: int, value: bytes, /) -> None: ...


def hear_only(sock: Socket, network: Network) -> None:
    """Have a datagram socket be given what comes from a network, and nothing else. Raises OSError."""
    steps = list(_steps(network))
    program = ctypes.create_string_buffer(b"".join(steps))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(steps), ctypes.addressof(program)))


def _steps(network: Network) -> Iterator[bytes]:
    """Each 32 bits of the sender's address are compared with those of the network; the last two steps take and drop."""
    words = list(zip(*map(_words, (network.netmask.packed, network.network_address.packed)), strict=True))
    last = 3 * len(words)
    for number, (mask, wanted) in enumerate(words):
        yield _step(_LOAD, _IN_THE_IP_HEADER + _SOURCE[network.version] + 4 * number)
        yield _step(_AND, mask)
        yield _step(_IS, wanted, otherwise=last - 3 * number - 2)
    yield _step(_RETURN, _WHOLE)
    yield _step(_RETURN, 0)


def _words(packed: bytes) -> tuple[int, ...]:
    return struct.unpack(f"!{len(packed) // 4}I", packed)


def _step(code: int, value: int, *, otherwise: int = 0) -> bytes:
    """`otherwise` is how many steps are left out if a comparison fails."""
    return struct.pack("HBBI", code, 0, otherwise, value)
