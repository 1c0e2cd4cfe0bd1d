"""Signatures over whole model packages, in the form of OpenSSF Model Signing.

    from hauberk.protection.sign import KeySigner, PublicKey, SignedOnly, sign, verify

    sign("models/mine", KeySigner("private.pem"), "models/mine.sig")
    verify("models/mine", "models/mine.sig", PublicKey("public.pem")).require()
    classifier = SignedOnly((PublicKey("public.pem"),)).load("models/mine")

The ``model_signing`` command verifies what is signed here, and the other way round. Signer and verifier share
the form of a signature (``statement.py``) and nothing else.
"""

from __future__ import annotations

from hauberk.protection.sign.policy import SignedOnly, load_signed
from hauberk.protection.sign.signers import (
    CertificateSigner,
    KeySigner,
    Pkcs11Signer,
    Signer,
    SigstoreSigner,
)
from hauberk.protection.sign.signing import Signed, sign
from hauberk.protection.sign.statement import PROVENANCE
from hauberk.protection.sign.trust import Authority, Identity, PublicKey, Trust
from hauberk.protection.sign.verifying import Verification, verify

__all__ = [
    "PROVENANCE",
    "Authority",
    "CertificateSigner",
    "Identity",
    "KeySigner",
    "Pkcs11Signer",
    "PublicKey",
    "Signed",
    "SignedOnly",
    "Signer",
    "SigstoreSigner",
    "Trust",
    "Verification",
    "load_signed",
    "sign",
    "verify",
]
