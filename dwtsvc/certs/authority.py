"""A certificate authority for one machine and one moment: it signs one certificate for `localhost` and is forgotten.

The authority may vouch for this machine's own names only, and a verifier that honours name constraints (OpenSSL, NSS,
Chromium, Firefox) refuses anything else from it. Its key exists in memory alone and is dropped once it has signed, so
that nobody, its owner included, can make a second certificate from it.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from dwtsvc.errors import BadInput

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

HOSTS = ("localhost", "127.0.0.1", "::1")
PERMITTED = ("localhost", "127.0.0.0/8", "::1/128")
NAME = "dwtsvc local CA"  # every authority of ours is called this and a number of its own

LIFE = timedelta(days=824)  # Apple's systems accept 825 at most, also from an authority that a user added
BACKDATE = timedelta(hours=1)  # a browser on this machine reads the same clock, but it may have been put back a little


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says. Fingerprints are lower-case hexadecimal, times are in UTC."""

    name: str
    issuer: str
    hosts: tuple[str, ...]
    sha256: str
    sha1: str  # Windows and macOS find certificates by it; nothing is trusted because of it
    not_before: datetime
    not_after: datetime
    pem: str

    @property
    def renew_after(self) -> datetime:
        """Two thirds of its life."""
        return self.not_before + (self.not_after - self.not_before) * 2 / 3

    @property
    def shown_fingerprint(self) -> str:
        """SHA-256 as browsers show it: AA:BB:..."""
        return ":".join(self.sha256[at : at + 2] for at in range(0, len(self.sha256), 2)).upper()

    def der(self) -> bytes:
        import ssl

        return ssl.PEM_cert_to_DER_cert(self.pem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new authority, the chain (the leaf, then the authority) and the leaf's key, all but the record as PEM."""

    authority: Certificate
    chain: str
    key: str


def issue(now: datetime, key: str | None = None) -> Issued:
    """Make an authority and let it sign one certificate for HOSTS. `key` is the leaf's key (PEM), else a new one.

    Raises BadInput if `key` is no private key.
    """
    from cryptography.hazmat.primitives.asymmetric import ec

    signer = ec.generate_private_key(ec.SECP256R1())
    leaf_key = _load_key(key) if key else ec.generate_private_key(ec.SECP256R1())
    root = _authority(signer, now)
    leaf = _leaf(leaf_key, root, signer, now)
    del signer
    chain = _pem(leaf) + _pem(root)
    return Issued(authority=read_chain(_pem(root))[0], chain=chain, key=key or _key_pem(leaf_key))


def read_chain(pem: str) -> tuple[Certificate, ...]:
    """The certificates of a PEM file, in its order; BadInput if there is none or one is broken."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        return tuple(_describe(each) for each in found)
    except ValueError as error:
        raise BadInput("This is no certificate in PEM form", why=str(error)[:200]) from error


def matches(chain: str, key: str) -> bool:
    """Whether a key belongs to the first certificate of a chain; BadInput if either cannot be read."""
    from cryptography import x509

    read_chain(chain)
    certificate = x509.load_pem_x509_certificates(chain.encode())[0]
    return _public(certificate.public_key()) == _public(_load_key(key).public_key())


def in_order(chain: str) -> bool:
    """Whether each certificate of a chain was signed by the next one, as TLS wants them sent."""
    from itertools import pairwise

    from cryptography import x509
    from cryptography.exceptions import InvalidSignature

    try:
        for each, issuer in pairwise(x509.load_pem_x509_certificates(chain.encode())):
            each.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def key_fingerprint(key: str) -> str:
    """SHA-256 of the public half of a private key; BadInput if it cannot be read."""
    from hashlib import sha256

    return sha256(_public(_load_key(key).public_key())).hexdigest()


def allows(certificate: Certificate, host: str) -> bool:
    """Whether a certificate is for a host, as a browser decides: exactly, or by a `*` for the first label."""
    wanted = host.lower().strip("[]")
    return any(_covers(name.lower(), wanted) for name in certificate.hosts)


def _covers(name: str, host: str) -> bool:
    label, _, rest = host.partition(".")
    return name == host or (name.startswith("*.") and bool(label) and "." in rest and name[2:] == rest)


def _authority(key: EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    name = _name(f"{NAME} {secrets.token_hex(8)}")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_constraints(), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    key: PrivateKeyTypes, root: x509.Certificate, signer: EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = x509.SubjectAlternativeName([_general_name(host) for host in HOSTS])
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())  # type: ignore[arg-type]
    return (
        _builder(_name("dwtsvc on this machine"), root.subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(signed_by, critical=False)
        .add_extension(identifier, critical=False)
        .sign(signer, hashes.SHA256())
    )


def _builder(subject: x509.Name, issuer: x509.Name, key: PrivateKeyTypes, now: datetime) -> x509.CertificateBuilder:
    from cryptography import x509

    start = now.astimezone(UTC).replace(microsecond=0) - BACKDATE
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())  # type: ignore[arg-type]
        .serial_number(secrets.randbits(127) + 1)
        .not_valid_before(start)
        .not_valid_after(start + LIFE)
    )


def _name(text: str) -> x509.Name:
    """A subject that says nothing about the machine: certificates are shown to every web site that asks."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dwtsvc"), x509.NameAttribute(NameOID.COMMON_NAME, text)]
    )


def _constraints() -> x509.NameConstraints:
    """Both kinds are listed: a list of DNS names alone would leave every address free, and the other way round."""
    from cryptography import x509

    networks = [ipaddress.ip_network(each) for each in PERMITTED[1:]]
    permitted = [x509.DNSName(PERMITTED[0]), *(x509.IPAddress(each) for each in networks)]
    return x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _describe(certificate: x509.Certificate) -> Certificate:
    from cryptography.hazmat.primitives import hashes

    return Certificate(
        name=_common_name(certificate.subject),
        issuer=_common_name(certificate.issuer),
        hosts=_hosts(certificate),
        sha256=certificate.fingerprint(hashes.SHA256()).hex(),
        sha1=certificate.fingerprint(hashes.SHA1()).hex(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        pem=_pem(certificate),
    )


def _common_name(name: x509.Name) -> str:
    from cryptography.x509.oid import NameOID

    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = (str(each) for each in names.get_values_for_type(x509.IPAddress))
    return (*names.get_values_for_type(x509.DNSName), *addresses)


def _load_key(pem: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        hint = "Write it without a password: `openssl pkey -in KEY -out NEWKEY`."
        raise BadInput("The private key has a password", hint=hint) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadInput("This is no private key in PEM form", why=str(error).splitlines()[0][:200]) from error


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives import serialization as forms

    return key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()).decode()


def _public(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    spki = forms.PublicFormat.SubjectPublicKeyInfo
    data: bytes = key.public_bytes(forms.Encoding.DER, spki)  # type: ignore[attr-defined]
    return data
