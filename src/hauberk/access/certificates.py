"""Names in a client's certificate, for mutual TLS.

The server verifies the chain and that the client has the key; here the names are read. A SPIFFE identity or
another URI, a DNS name, an address of electronic mail, or the whole subject can be linked to an identity.
"""

from __future__ import annotations

from cryptography import x509

from hauberk.core.errors import IntegrityError


def names(certificate: bytes) -> tuple[str, ...]:
    """The names in a certificate (DER or PEM), after their kinds: ``URI:``, ``DNS:``, ``email:``, ``subject:``.

    Raises:
        IntegrityError: it cannot be read, or holds control characters.

    Limits: the subject is told only where there is no other name, since authorities check it least.
    """
    try:
        pem = certificate.lstrip().startswith(b"-----BEGIN")
        read = x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
        found = read(certificate)
        try:
            others = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            others = None
        subject = found.subject.rfc4514_string()
    except (ValueError, TypeError, x509.DuplicateExtension) as error:
        raise IntegrityError("the client's certificate cannot be read") from error
    kinds = (("URI", x509.UniformResourceIdentifier), ("DNS", x509.DNSName), ("email", x509.RFC822Name))
    named = [
        f"{word}:{one}" for word, kind in kinds for one in (others.get_values_for_type(kind) if others else ())
    ]
    if not all(one.isprintable() for one in (*named, subject)):
        raise IntegrityError("the client's certificate holds names that nobody can read")
    return tuple(named) or ((f"subject:{subject}",) if subject else ())
