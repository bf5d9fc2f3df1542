"""Certificates by which the parts of the object store know each other, and nobody else knows them.

SeaweedFS is several servers in one program (master, volume, filer, S3). Only its S3 asks for keys;
the others answer whoever reaches them, unless they speak TLS and demand a certificate from the
caller. So one authority and one certificate are made afresh for every start: the store's own parts
have it, the authority's key is kept nowhere, and a caller without it does not get through TLS.
"""

from __future__ import annotations

import datetime
import ipaddress
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tracking._users import write_for

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "recdistill object store"
_DAYS = 3650  # of one start
_PARTS = ("master", "volume", "filer")


def write(folder: Path, identity: dict[str, Any]) -> None:
    """Write ``security.toml`` and the files it names to ``folder``, where the store starts."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = _certificate(f"{_NAME} authority", authority, None)
    key = ec.generate_private_key(ec.SECP256R1())
    own = _certificate(_NAME, key, (authority, issuer))
    texts = {
        "authority": _pem(issuer),
        "certificate": _pem(own),
        "key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    }
    ca, cert, secret = (
        str(write_for(folder / f"s3-{name}.pem", text, identity)) for name, text in texts.items()
    )
    lines = ["[cors.allowed_origins]", 'values = ""', "[grpc]", f'ca = "{ca}"']
    for part in (*_PARTS, "s3", "client"):
        lines += [f"[grpc.{part}]", f'cert = "{cert}"', f'key = "{secret}"']
        lines += [f'allowed_commonNames = "{_NAME}"']
    for part in (*_PARTS, "client"):
        lines += [f"[https.{part}]", f'cert = "{cert}"', f'key = "{secret}"', f'ca = "{ca}"']
    lines.append("enabled = true")  # in the last section, [https.client]
    write_for(folder / "security.toml", "\n".join(lines) + "\n", identity)


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    signed_by: tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signed_by[1].subject if signed_by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
    )
    if signed_by:
        here = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
        both = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(here), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    return builder.sign(signed_by[0] if signed_by else key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
