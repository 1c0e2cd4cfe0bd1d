"""Signed notes and cosignatures (c2sp.org/signed-note, c2sp.org/tlog-cosignature), strictly.

    note          a text and its signature lines
    checkpoint    the text of a log's head
    messages      what exactly each kind of key signs
    signers       secret keys
    verifiers     public keys (vkeys), and which signatures of a note hold
    files         key files

Go's ``golang.org/x/mod/sumdb/note`` reads what is written here, and its key files.
"""

from __future__ import annotations

from hauberk.crypto.notes.checkpoint import Checkpoint, parse_decimal
from hauberk.crypto.notes.files import read_signers, read_verifiers, write_signers
from hauberk.crypto.notes.note import Note, Signature, decode64, encode64, parse_signatures
from hauberk.crypto.notes.signers import (
    CosignatureSigner,
    Ed25519Signer,
    Signer,
    SubtreeSigner,
    generate,
)
from hauberk.crypto.notes.verifiers import (
    CosignatureVerifier,
    Ed25519Verifier,
    SubtreeVerifier,
    Verified,
    Verifier,
    parse_verifier,
    verify,
)

__all__ = [
    "Checkpoint",
    "CosignatureSigner",
    "CosignatureVerifier",
    "Ed25519Signer",
    "Ed25519Verifier",
    "Note",
    "Signature",
    "Signer",
    "SubtreeSigner",
    "SubtreeVerifier",
    "Verified",
    "Verifier",
    "decode64",
    "encode64",
    "generate",
    "parse_decimal",
    "parse_signatures",
    "parse_verifier",
    "read_signers",
    "read_verifiers",
    "verify",
    "write_signers",
]
