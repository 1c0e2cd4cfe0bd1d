"""Names out of certificates that are made here, and whom they let in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hauberk.access import identities
from hauberk.access.certificates import names
from hauberk.access.entering import Access
from hauberk.access.identities import CERTIFICATE
from hauberk.core.errors import AccessDenied, IntegrityError


def certificate(*others: x509.GeneralName, common_name: str = "scorer") -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 7)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
    )
    if others:
        made = made.add_extension(x509.SubjectAlternativeName(others), critical=False)
    return made.sign(key, SHA256())


SPIFFE = x509.UniformResourceIdentifier("spiffe://example.com/scorer")
DNS = x509.DNSName("scorer.example.com")


@pytest.mark.parametrize("form", [Encoding.DER, Encoding.PEM])
def test_names_come_with_their_kinds(form: Encoding) -> None:
    mail = x509.RFC822Name("ada@example.com")
    assert names(certificate(SPIFFE, DNS, mail).public_bytes(form)) == (
        "URI:spiffe://example.com/scorer",
        "DNS:scorer.example.com",
        "email:ada@example.com",
    )
    assert names(certificate().public_bytes(form)) == ("subject:CN=scorer",)


@pytest.mark.parametrize(
    "data", [b"", b"text", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        names(data)


def test_a_linked_name_lets_in_and_a_look_alike_subject_does_not(access: Access) -> None:
    identities.add(access.database, "scorer", "service", [(CERTIFICATE, "DNS:scorer.example.com")])
    assert access.by_certificate(certificate(SPIFFE, DNS).public_bytes(Encoding.DER)).name == "scorer"
    others = [
        certificate(),
        certificate(x509.DNSName("scorer.example.com.evil.example")),
        certificate(x509.UniformResourceIdentifier("DNS:scorer.example.com")),
        certificate(common_name="DNS:scorer.example.com"),
    ]
    for one in others:
        with pytest.raises(AccessDenied, match="the certificate is not known"):
            access.by_certificate(one.public_bytes(Encoding.DER))
    with pytest.raises(AccessDenied, match="the certificate is not known"):
        access.by_certificate(b"text")


def test_a_certificate_of_two_identities_is_nobodys(access: Access) -> None:
    identities.add(access.database, "a", "service", [(CERTIFICATE, "DNS:scorer.example.com")])
    identities.add(access.database, "b", "service", [(CERTIFICATE, "URI:spiffe://example.com/scorer")])
    with pytest.raises(AccessDenied):
        access.by_certificate(certificate(SPIFFE, DNS).public_bytes(Encoding.DER))
