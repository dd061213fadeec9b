"""The authority vouches for this machine and for nothing else: asked of every verifier there is."""

from __future__ import annotations

import ipaddress
import ssl
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509 import verification

from dwtsvc.certs import authority
from dwtsvc.errors import BadInput
from tests.certs.rig import EVIL, NOW, Evil, Signer, needs, own_pair

Verifier = Callable[[Path, str, str, str, str], bool]


def by_openssl(folder: Path, ca: str, chain: str, key: str, host: str) -> bool:
    needs("openssl")
    (folder / "ca.pem").write_text(ca)
    (folder / "leaf.pem").write_text(authority.read_chain(chain)[0].pem)
    named = ["-verify_ip" if _is_address(host) else "-verify_hostname", host]
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", *named, "-CAfile", "ca.pem", "leaf.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=30).returncode == 0


def by_cryptography(folder: Path, ca: str, chain: str, key: str, host: str) -> bool:
    store = verification.Store(x509.load_pem_x509_certificates(ca.encode()))
    wanted = x509.IPAddress(ipaddress.ip_address(host)) if _is_address(host) else x509.DNSName(host)
    leaf = x509.load_pem_x509_certificates(chain.encode())[0]
    try:
        verification.PolicyBuilder().store(store).build_server_verifier(wanted).verify(leaf, [])
    except verification.VerificationError:
        return False
    return True


def by_nss(folder: Path, ca: str, chain: str, key: str, host: str) -> bool:
    """NSS's own tool asks for the chain and the constraints; the host is compared by the browser tests."""
    needs("certutil")
    database = ["-d", f"sql:{folder}"]
    leaf = authority.read_chain(chain)[0].pem
    steps = [["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "ca", "-a"], ["-A", "-t", ",,", "-n", "leaf", "-a"]]
    for words, text in zip(steps, ("", ca, leaf), strict=True):
        subprocess.run(["certutil", *words, *database], input=text.encode(), check=True, timeout=30)
    asked = subprocess.run(["certutil", "-V", "-u", "V", "-n", "leaf", *database], capture_output=True, timeout=30)
    return asked.returncode == 0


def by_python(folder: Path, ca: str, chain: str, key: str, host: str) -> bool:
    """A whole TLS handshake, with no socket between."""
    (folder / "chain.pem").write_text(chain)
    (folder / "key.pem").write_text(key)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    calling = ssl.create_default_context(cadata=ca)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    client = calling.wrap_bio(to_client, to_server, server_hostname=host)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLCertVerificationError:
                return False
    return client.version() == "TLSv1.3"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


VERIFIERS = [by_openssl, by_cryptography, by_nss, by_python]


@pytest.mark.parametrize("host", authority.HOSTS)
@pytest.mark.parametrize("verified", VERIFIERS)
def test_every_verifier_accepts_the_certificate_for_this_machine(verified: Verifier, host: str, tmp_path: Path) -> None:
    issued = authority.issue(NOW)
    assert verified(tmp_path, issued.authority.pem, issued.chain, issued.key, host)


@pytest.mark.parametrize("evil", EVIL.values(), ids=list(EVIL))
@pytest.mark.parametrize("verified", VERIFIERS)
def test_every_verifier_refuses_whatever_else_the_authority_would_sign(
    verified: Verifier, evil: Evil, tmp_path: Path
) -> None:
    signer = Signer()
    chain, key = signer.sign(*evil.names, common_name=evil.common_name)
    assert not verified(tmp_path, signer.pem, chain, key, evil.host)


@pytest.mark.parametrize("verified", VERIFIERS)
def test_the_attackers_leaf_is_refused_for_its_names_and_for_nothing_else(verified: Verifier, tmp_path: Path) -> None:
    signer = Signer()
    chain, key = signer.sign(x509.DNSName("localhost"))
    assert verified(tmp_path, signer.pem, chain, key, "localhost")


def test_a_mail_address_is_worth_nothing(tmp_path: Path) -> None:
    signer = Signer()
    chain, key = signer.sign(x509.RFC822Name("boss@bank.example"), common_name="boss")
    for host in ("boss@bank.example", "bank.example", "localhost"):
        assert not by_openssl(tmp_path, signer.pem, chain, key, host)
        assert not by_python(tmp_path, signer.pem, chain, key, host)
    command = ["openssl", "verify", "-purpose", "smimesign", "-CAfile", "ca.pem", "leaf.pem"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=30).returncode != 0


@pytest.mark.parametrize("verified", [by_openssl, by_python])
def test_an_authority_below_ours_is_refused(verified: Verifier, tmp_path: Path) -> None:
    issued = authority.issue(NOW)
    chain, key = Signer().sign(x509.DNSName("localhost"))
    below = chain + issued.authority.pem
    assert not verified(tmp_path, issued.authority.pem, below, key, "localhost")


def test_two_machines_share_nothing() -> None:
    first, second = authority.issue(NOW), authority.issue(NOW)
    assert first.authority.name != second.authority.name
    assert first.key != second.key
    assert authority.key_fingerprint(first.key) != authority.key_fingerprint(second.key)
    assert first.authority.name.startswith(authority.NAME)


def test_the_subject_tells_nothing_about_the_machine() -> None:
    import socket

    issued = authority.issue(NOW)
    for certificate in x509.load_pem_x509_certificates(issued.chain.encode()):
        assert socket.gethostname() not in certificate.subject.rfc4514_string()


def test_the_life_is_what_apple_accepts_and_begins_a_little_before_now() -> None:
    leaf = authority.read_chain(authority.issue(NOW).chain)[0]
    assert leaf.not_after - leaf.not_before < timedelta(days=825)
    assert leaf.not_before <= NOW - timedelta(hours=1)
    assert leaf.not_before < leaf.renew_after < leaf.not_after
    assert (leaf.renew_after - leaf.not_before) * 3 == (leaf.not_after - leaf.not_before) * 2


def test_a_renewal_keeps_the_key_it_is_given() -> None:
    first = authority.issue(NOW)
    second = authority.issue(NOW, first.key)
    assert second.key == first.key
    assert authority.matches(second.chain, first.key)
    assert authority.matches(first.chain, second.key)
    assert second.authority.name != first.authority.name


def test_no_private_key_of_the_authority_leaves_the_function() -> None:
    issued = authority.issue(NOW)
    chain, ca = authority.read_chain(issued.chain), issued.authority
    assert len(chain) == 2 and chain[1].sha256 == ca.sha256
    assert not authority.matches(ca.pem, issued.key)
    assert "PRIVATE" not in issued.chain + ca.pem


def test_a_certificate_is_for_a_host_as_a_browser_decides() -> None:
    own = authority.read_chain(own_pair("*.example.com", "Scan.example", "10.0.0.1")[0])[0]
    assert authority.allows(own, "scan.EXAMPLE") and authority.allows(own, "a.example.com")
    assert authority.allows(own, "10.0.0.1")
    for host in ("example.com", "a.b.example.com", "example", "10.0.0.2", ""):
        assert not authority.allows(own, host)


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_refused_with_words(text: str) -> None:
    with pytest.raises(BadInput, match="no certificate"):
        authority.read_chain(text)


def test_a_key_with_a_password_is_refused_with_what_to_do(tmp_path: Path) -> None:
    needs("openssl")
    command = ["openssl", "genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:x", "-out", "key.pem"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=30)
    with pytest.raises(BadInput, match="password") as raised:
        authority.key_fingerprint((tmp_path / "key.pem").read_text())
    assert "openssl pkey" in raised.value.hint


def test_the_order_of_a_chain_is_seen() -> None:
    issued = authority.issue(NOW)
    leaf, root = (each.pem for each in authority.read_chain(issued.chain))
    assert authority.in_order(leaf + root) and authority.in_order(leaf)
    assert not authority.in_order(root + leaf)
    assert not authority.in_order(leaf + Signer().pem)
