"""Does a time stamp hold for a checkpoint, under an authority that you trust? Offline.

Apart from ``anchors.rfc3161``, which asks for it.
"""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from cryptography import x509

from hauberk.core.errors import DataError, DependencyMissing, IntegrityError
from hauberk.core.files import read_bytes
from hauberk.ledger.anchors.receipts import Anchored


def check(answer: bytes, checkpoint: bytes, ca_file: str | Path) -> Anchored:
    """Verify the token, the authority's certificate and its purpose, and that it stamps this checkpoint.

    Args:
        answer: the ``.tsr`` file.
        ca_file: PEM certificates; all of them are trusted. A chain between is taken from the token.

    Raises:
        IntegrityError: anything about it does not hold; which part is not told apart.
        DataError: the CA file holds no certificate.
        DependencyMissing: no rfc3161-client here.

    Limits: certificates are judged as of the stamped time, and no revocation list is asked. An authority whose
    key was stolen can stamp any time: keep a second kind of anchor.
    """
    try:
        from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response
    except ImportError as error:
        raise DependencyMissing.extra("checking a time stamp after RFC 3161", "timestamp") from error
    builder = VerifierBuilder(roots=_certificates(ca_file))
    try:
        response = decode_timestamp_response(answer)
        builder.build().verify_message(response, checkpoint)
    except (VerificationError, ValueError) as error:
        raise IntegrityError("the time stamp does not hold for this checkpoint and this authority") from error
    stamped = response.tst_info
    return Anchored(
        kind="rfc3161",
        existed_by=stamped.gen_time.astimezone(UTC),
        witness=f"a time-stamping authority known to {ca_file}",
        facts={"serial": str(stamped.serial_number), "policy": stamped.policy.dotted_string},
    )


def _certificates(path: str | Path) -> list[x509.Certificate]:
    data = read_bytes(path, what="file with certificates")
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError as error:
        raise DataError(f"{path} holds no PEM certificate") from error
