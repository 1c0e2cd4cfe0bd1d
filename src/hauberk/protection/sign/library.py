"""The OpenSSF ``model-signing`` library, and what its errors mean.

It raises ``ValueError`` for almost everything, and whatever its own libraries raise besides, so its errors are
translated where they leave it: a wrong call, or a signature that does not hold.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hauberk.core.errors import (
    ConfigError,
    DataError,
    DependencyMissing,
    EnvironmentFailure,
    HauberkError,
    IntegrityError,
)


def part(name: str) -> Any:
    """``model_signing.<name>``.

    Raises:
        DependencyMissing: it is not installed.
    """
    try:
        with silent():
            importlib.import_module("OpenSSL")  # which it needs and does not declare
            return importlib.import_module(f"model_signing.{name}")
    except ImportError as error:
        raise DependencyMissing.extra("signing and verifying", "sign") from error


def present(path: str | Path, what: str) -> Path:
    """The path of a file that is to be handed to it.

    Raises:
        DataError: there is no such file.
    """
    if not Path(path).is_file():
        raise DataError(f"no {what} at {path}", path=str(path))
    return Path(path)


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """It prints warnings to standard output, where our result stands, and calls what is deprecated."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


@contextlib.contextmanager
def wrong_call(what: str) -> Iterator[None]:
    """Keys, certificates and tokens that cannot be used.

    Raises:
        ConfigError: one line that says why.
        DependencyMissing: PKCS#11 without its library.
    """
    try:
        with silent():
            yield
    except (HauberkError, KeyboardInterrupt):
        raise
    except RuntimeError as error:
        if "pkcs11" in str(error).lower() and "extra" in str(error):
            raise DependencyMissing(
                "signing with PKCS#11 needs PyKCS11", hint="pip install 'hauberk[pkcs11]'"
            ) from error
        raise ConfigError(f"{what}: {_first(error)}") from error
    except TypeError as error:
        if "encrypted" in str(error) or "assword" in str(error):
            if "not encrypted" in str(error):
                raise ConfigError(f"{what} is not encrypted, but a password was given") from error
            raise ConfigError(
                f"{what} is encrypted and no password was given", hint="--password-file FILE"
            ) from error
        raise ConfigError(f"{what} cannot be used: {_first(error)}") from error
    except AttributeError as error:  # it asks every key for its curve
        raise ConfigError(f"{what} is no elliptic-curve key", hint=_CURVES) from error
    except Exception as error:
        _refuse_network(error)
        text = _first(error)
        if "nsupported key" in text or "curve" in text:
            raise ConfigError(f"{what} is no key of a supported curve: {text}", hint=_CURVES) from error
        if "ecrypt" in text or "assword" in text:
            raise ConfigError(f"{what} cannot be decrypted: the password is wrong") from error
        raise ConfigError(f"{what} cannot be used: {text}") from error


_CURVES = "openssl ecparam -name prime256v1 -genkey -noout -out private.pem (P-256, P-384 or P-521)"


@contextlib.contextmanager
def broken_signature(what: str) -> Iterator[None]:
    """Whatever it says against a signature.

    Raises:
        IntegrityError: one line that says why.
    """
    try:
        with silent():
            logging.getLogger("model_signing").setLevel(logging.ERROR)
            yield
    except (HauberkError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        _refuse_network(error)
        reason = _first(error)
        if type(error).__name__ == "InvalidSignature":
            reason = "it was made with another key, or changed afterwards"
        raise IntegrityError(f"{what} does not hold: {reason}") from error


def _refuse_network(error: BaseException) -> None:
    """Sigstore asks servers; one that does not answer says nothing about a key or a signature."""
    if type(error).__module__.partition(".")[0] in ("requests", "urllib3", "tuf", "socket"):
        raise EnvironmentFailure(f"Sigstore could not be reached: {_first(error)}") from error


def _first(error: BaseException) -> str:
    """The first line of an error, short enough for a terminal."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200]
