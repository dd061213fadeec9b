from __future__ import annotations

import socket
import sys
from ipaddress import ip_network

import pytest

from dwtsvc.server.airscan.hearing import hear_only

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


@pytest.mark.parametrize(
    ("family", "listens", "network", "near", "far"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.0/24", "127.0.0.9", "127.0.1.9"),
        (socket.AF_INET, "127.0.0.1", "127.0.0.9/32", "127.0.0.9", "127.0.0.8"),
        (socket.AF_INET6, "::1", "::1/128", "::1", ""),
        (socket.AF_INET6, "::1", "fe80::/10", "", "::1"),
        (socket.AF_INET6, "::1", "::/127", "::1", ""),
    ],
)
def test_a_socket_hears_its_network_and_no_other(
    family: socket.AddressFamily, listens: str, network: str, near: str, far: str
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as hearer:
        hearer.bind((listens, 0))
        hear_only(hearer, ip_network(network))
        for sender in filter(None, (far, near)):
            with socket.socket(family, socket.SOCK_DGRAM) as other:
                other.bind((sender, 0))
                other.sendto(sender.encode(), hearer.getsockname())
        hearer.setblocking(False)  # over the loopback what was sent is there
        heard = []
        while len(heard) < 2:
            try:
                heard.append(hearer.recv(100).decode())
            except BlockingIOError:
                break
    assert heard == [near] * bool(near)
