"""Key files of logs and witnesses: the secret keys for their owner alone, the public ones beside them.

A secret file says in its comments what it is for, and has one line for each key, as Go's ``note`` package
writes them: ``PRIVATE+KEY+name+id+key``. The file beside it, ``.pub``, has the vkeys, and is for everybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.files import read_bytes, write_atomic
from hauberk.crypto.notes.note import decode64, encode64
from hauberk.crypto.notes.signers import KINDS, SEED_BYTES, Signer
from hauberk.crypto.notes.verifiers import PRIVATE_HEAD, Verifier, parse_verifier
from hauberk.crypto.secret import Secret

_USES = {
    "ed25519": "signs the heads of the log {name} (Ed25519)",
    "cosignature-ed25519": "cosigns heads of logs as the witness {name} (Ed25519)",
    "cosignature-ml-dsa-44": "cosigns heads of logs as {name} (ML-DSA-44)",
}
_BY_BYTE = {kind.KIND: kind for kind in KINDS.values()}


def write_signers(
    path: str | Path, signers: Sequence[Signer], *, use: str | None = None, clock: Clock = now
) -> tuple[Path, Path]:
    """Write secret keys to ``path`` (mode 600), and the public ones to ``path``.pub.

    Args:
        use: what the keys are for, as the file says it of ``{name}`` [default: what logs and witnesses do].

    Raises:
        ConfigError: one of the two is there already; a key is never replaced.
        EnvironmentFailure: the folder cannot be written.
    """
    secret, public = Path(path), Path(f"{path}.pub")
    for place in (secret, public):
        if place.exists() or place.is_symlink():
            raise ConfigError(
                f"{place} exists already: a key is never replaced, nobody could sign in its name again",
                hint="choose another file",
            )
    vkeys = [str(one.verifier) for one in signers]
    lines = [f"# created: {timestamp(clock)}"]
    for one, vkey in zip(signers, vkeys, strict=True):
        told = _use(one) if use is None else use.format(name=one.name)
        lines += [f"# {told}; who has it can do so too", f"# public key: {vkey}", _written(one)]
    write_atomic(secret, "".join(f"{line}\n" for line in lines).encode(), mode=0o600)
    write_atomic(public, "".join(f"{vkey}\n" for vkey in vkeys).encode())
    return secret, public


def read_signers(
    path: str | Path, *, of: str = "a log or witness", hint: str = "hauberk ledger init makes one"
) -> tuple[Signer, ...]:
    """The secret keys of a file, from ``write_signers`` or from another program that writes Go's form.

    Args:
        of: whose keys the caller asked for, as messages say it; ``hint`` says what makes such a key.

    Raises:
        DataError: no such file, or a line that is no such key; the message names the line, not its content.
        ConfigError: others than its owner may read it.
    """
    path = Path(path)
    lines = _lines(path, f"key file of {of}")
    # a file of another kind is told as such: its rights are not what is wrong with it
    found = tuple(_parse(line, f"{path}, line {number}", of, hint) for number, line in lines)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise ConfigError(
            f"{path}: others may read these keys (mode {mode:o}), and who has them signs in their name",
            hint=f"chmod 600 {path}",
        )
    return found


def read_verifiers(path: str | Path) -> tuple[Verifier, ...]:
    """The public keys of a ``.pub`` file.

    Raises:
        DataError: no such file, or a line that is no vkey.
    """
    found = []
    for number, line in _lines(Path(path), "file of public keys"):
        if line.startswith(PRIVATE_HEAD):
            raise DataError(f"{path} holds secret keys; public keys are asked for", hint=f"use {path}.pub")
        try:
            found.append(parse_verifier(line))
        except DataError as error:
            raise DataError(f"{path}, line {number}: {error}", hint=error.hint) from None
    return tuple(found)


def _lines(path: Path, what: str) -> list[tuple[int, str]]:
    try:
        text = read_bytes(path, what=what).decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a {what}") from None
    found = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    found = [(number, line) for number, line in found if line and not line.startswith("#")]
    if not found:
        raise DataError(f"{path} holds no key")
    return found


def _use(signer: Signer) -> str:
    return next(_USES[name] for name, kind in KINDS.items() if isinstance(signer, kind)).format(
        name=signer.name
    )


def _written(signer: Signer) -> str:
    key = encode64(bytes([signer.KIND]) + signer.secret)
    return f"{PRIVATE_HEAD}{signer.name}+{signer.verifier.key_id.hex()}+{key}"


def _parse(line: str, where: str, of: str, hint: str) -> Signer:
    if not line.startswith(PRIVATE_HEAD):
        raise DataError(f"{where} is no secret key of {of}", hint=hint)
    try:
        name, id_, encoded = line.removeprefix(PRIVATE_HEAD).split("+", 2)
        data = decode64(encoded, what="the key")
        signer = _BY_BYTE[data[0]](name, Secret(data[1:]))
    except (IntegrityError, ValueError, LookupError):
        raise DataError(f"{where}: a secret key that is malformed, or not of {SEED_BYTES} bytes") from None
    if signer.verifier.key_id.hex() != id_:
        raise DataError(f"{where}: the secret key does not belong to its id: a letter was lost or changed")
    return signer
