"""The owner's key: 32 bytes, from which every choice follows, for each model and each use anew.

Nothing here depends on the version of a random number library: permutations are sorted SHAKE-256 words, so that
what is obfuscated today can be reversed in ten years.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hauberk.core.errors import ConfigError
from hauberk.crypto import owner_key
from hauberk.crypto.derive import KEY_BYTES, hkdf_sha256
from hauberk.crypto.floe import Floe
from hauberk.crypto.secret import Secret

_USE = b"hauberk/obfuscation/1/"
_FLOE = Floe(segment_bytes=1 << 20)


class Key:
    """An obfuscation key.

    Args:
        secret: 32 bytes, uniformly random.

    Raises:
        ConfigError: another number of bytes.
    """

    def __init__(self, secret: bytes | bytearray) -> None:
        if len(secret) != KEY_BYTES:
            raise ConfigError(f"an obfuscation key has {KEY_BYTES} bytes, got {len(secret)}")
        self._secret = Secret(secret)

    def __repr__(self) -> str:
        return "Key(…)"

    @classmethod
    def new(cls, path: str | Path) -> Key:
        """A fresh key, written to a file: see ``owner_key.generate``."""
        return cls(owner_key.generate(path, "obfuscation"))

    @classmethod
    def load(cls, path: str | Path) -> Key:
        """The key in a file that ``new`` wrote: see ``owner_key.read``."""
        return cls(owner_key.read(path, "obfuscation"))

    def of_model(self, digest: str) -> ModelKey:
        """What the key means for the model of this digest."""
        return ModelKey(hkdf_sha256(self._secret, info=_USE + b"model", salt=digest.encode()))


class ModelKey:
    """Choices for one model; the same labels give the same choices."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def __repr__(self) -> str:
        return "ModelKey(…)"

    def _derived(self, label: str) -> Secret:
        return hkdf_sha256(self._secret, info=_USE + label.encode())

    @property
    def commitment(self) -> str:
        """64 hexadecimal digits that fit this key and model only, and tell nothing of the key."""
        return self._derived("commitment").hex()

    def words(self, label: str, count: int) -> NDArray[np.uint64]:
        """Uniform 64-bit words ``(count,)``."""
        with self._derived(label) as seed:
            return np.frombuffer(hashlib.shake_256(seed).digest(8 * count), dtype="<u8").astype(np.uint64)

    def order(self, label: str, size: int) -> Tensor:
        """A uniform permutation, int64 ``(size,)``."""
        return torch.from_numpy(np.argsort(self.words(label, size), kind="stable").astype(np.int64))

    def whole(self, label: str, count: int, below: int) -> Tensor:
        """Uniform whole numbers in [0, ``below``), int64 ``(count,)``."""
        return torch.from_numpy((self.words(label, count) % np.uint64(below)).astype(np.int64))

    def seal(self, text: bytes) -> bytes:
        """A FLOE message, a new one each time."""
        with self._derived("recovery") as key:
            return bytes(_FLOE.seal(key, _USE, text))

    def open(self, sealed: bytes) -> bytes:
        """The text of a message.

        Raises:
            IntegrityError: it was sealed by another key or for another model, or it was changed.
        """
        with self._derived("recovery") as key:
            return bytes(_FLOE.open(key, _USE, sealed))
