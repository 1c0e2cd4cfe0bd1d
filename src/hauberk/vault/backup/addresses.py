"""Where a backup lies, as users write it, and as restic does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hauberk.core.errors import ConfigError

_AMAZON = "https://s3.amazonaws.com"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_HINT = (
    "a folder, sftp://USER@HOST/FOLDER, or s3://BUCKET/FOLDER (with AWS_ENDPOINT_URL for a server of your own)"
)


@dataclass(frozen=True)
class Address:
    """One place.

    Args:
        written: as the user wrote it, for messages; it holds no password.
        restic: as restic takes it.
        folder: where it is a folder of this machine, else None.
    """

    written: str
    restic: str
    folder: Path | None = None


def parse_address(text: str, environment: Mapping[str, str] = os.environ) -> Address:
    """Read a folder, ``sftp://USER@HOST[:PORT]/FOLDER`` or ``s3://BUCKET[/FOLDER]``; restic's own forms
    ``sftp:…`` and ``s3:…`` stay as they are.

    Args:
        environment: where S3's endpoint is looked up (``AWS_ENDPOINT_URL_S3``, ``AWS_ENDPOINT_URL``).

    Raises:
        ConfigError: another kind of place, or a password in it.
    """
    if not text:
        raise ConfigError("the backup's place is empty", hint=_HINT)
    try:
        parts = urlsplit(text.removeprefix("s3:") if text.startswith(("s3:http://", "s3:https://")) else text)
        password = parts.password
    except ValueError:
        raise ConfigError(f"this place of a backup cannot be read: {text!r}", hint=_HINT) from None
    if password is not None:
        raise ConfigError(
            f"the address of {parts.hostname} holds a password, which every user of this machine could see",
            hint="SFTP: a key of ssh; S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
        )
    if text.startswith("s3://"):
        return Address(text, _s3(parts.netloc, parts.path, environment))
    if text.startswith("sftp://"):
        if not parts.hostname or not parts.path.strip("/"):
            raise ConfigError(f"{text} names no host or no folder", hint="sftp://USER@HOST/FOLDER")
        # restic counts from the home folder; a second slash means the root
        return Address(text, f"sftp://{parts.netloc}//{parts.path.strip('/')}")
    if text.startswith(("s3:", "sftp:")):
        return Address(text, text)
    if "://" in text:
        raise ConfigError(f"backups do not go to {parts.scheme}://", hint=_HINT)
    folder = Path(text).absolute()
    return Address(text, str(folder), folder)


def _s3(bucket: str, path: str, environment: Mapping[str, str]) -> str:
    if not bucket:
        raise ConfigError("s3:// names no bucket", hint="s3://BUCKET/FOLDER")
    endpoint = next((environment[name] for name in _ENDPOINTS if environment.get(name)), _AMAZON)
    return f"s3:{endpoint.rstrip('/')}/{bucket}{path.rstrip('/')}"
