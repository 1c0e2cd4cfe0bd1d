"""What restic says when something goes wrong, in one clear line.

The exit code of 0.14 is 1 for everything, so that its words are read; later versions have codes of their own
for some of it.
"""

from __future__ import annotations

from hauberk.core.errors import DataError, EnvironmentFailure, HauberkError, IntegrityError, NoIdentityMatched
from hauberk.vault.backup.programs import Ended

_LOCKED = ("already locked", "unable to create lock")
_ENVIRONMENT = (  # what restic's lines say, what it means, and what to do
    ("no space left", "the disk is full", "free some space; what was complete before is kept"),
    ("disk quota exceeded", "the quota is used up", "free some space; what was complete before is kept"),
    ("permission denied", "it may not be read or written", "use it as a user who may, or name another place"),
    ("read-only file system", "it may not be written", "name another place"),
    ("connection refused", "nobody answers there", "try again when it is back"),
    ("no route to host", "nobody answers there", "try again when it is back"),
    ("no such host", "there is no such host", "check the address"),
    ("unable to start the sftp session", "SFTP gives no session", "try: sftp USER@HOST"),
    ("i/o timeout", "nobody answers in time", "try again when it is back"),
    ("access denied", "the store refuses these credentials", "check AWS_ACCESS_KEY_ID and the bucket's policy"),
    ("the access key id", "the store refuses these credentials", "check AWS_ACCESS_KEY_ID"),
    ("signature does not match", "the store refuses these credentials", "check AWS_SECRET_ACCESS_KEY"),
    (
        "no credentials found",
        "there are no credentials for it",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    ),
    ("bucket does not exist", "there is no such bucket", "make it first"),
)
_ABSENT = ("is there a repository", "repository does not exist", "unable to open config file")
_CHATTER = ("ignoring error for", "fatal: there were", "fatal: repository contains errors", "using temporary")


def locked(done: Ended) -> bool:
    """Whether somebody else's lock stood in the way."""
    return bool(done.code) and any(one in " ".join(done.said).lower() for one in _LOCKED)


def failure(done: Ended, action: str, where: str, *, damaged: bool = False) -> HauberkError:
    """What restic's lines mean.

    Args:
        action: what was tried, as a message says it: "read", "write to".
        damaged: whether what is not known otherwise means that the repository is damaged.
    """
    text = " ".join(done.said).lower()
    if "wrong password" in text or done.code == 12:
        return NoIdentityMatched(
            f"the password does not open {where}, or the repository's key file is damaged",
            hint="name the right --password-file",
        )
    for said, meaning, hint in _ENVIRONMENT:
        if said in text:
            return EnvironmentFailure(f"could not {action} {where}: {meaning}", hint=hint)
    if locked(done):
        return EnvironmentFailure(
            f"could not {action} {where}: another backup or check is working on it", hint="try again later"
        )
    if any(one in text for one in _ABSENT) or done.code == 10:
        return DataError(
            f"{where} holds no backup", hint="the first time: hauberk backup --init makes the repository"
        )
    reason = _reason(done)
    if damaged or _is_damage(text):
        return IntegrityError(
            f"the backup in {where} is damaged: {reason}",
            hint="restore from another copy; hauberk backup check says whether all of it is affected",
        )
    return EnvironmentFailure(f"could not {action} {where}: {reason}")


def _is_damage(text: str) -> bool:
    marks = (
        "ciphertext verification failed",
        "invalid data",
        "does not match",
        "is damaged",
        "not found in index",
    )
    return any(one in text for one in marks)


def _reason(done: Ended) -> str:
    """The line that says most."""
    telling = [one for one in done.said if not one.lower().startswith(_CHATTER)]
    line = next(iter(telling or done.said), f"restic ended with {done.code}")
    return line.removeprefix("Fatal: ")
