"""Every error Hauberk raises, as one tree; the branches say what the caller can do about it.

    HauberkError
    ├── ConfigError (ValueError)            fix the call                        exit 2
    │   └── UnknownName                     a misspelt key, option or method
    ├── DataError (ValueError)              fix the input                       exit 2
    ├── IntegrityError                      do not trust it                     exit 1
    │   └── NoIdentityMatched               sealed for somebody else
    ├── AccessDenied (PermissionError)      ask somebody who may                exit 1
    │   └── TrailUnavailable                no line in the trail, so no         exit 3
    ├── PolicyViolation                     the policy forbids it               exit 1
    ├── BudgetExceeded                      the budget is spent                 exit 1
    ├── UnsupportedModel (TypeError)        this model cannot do that           exit 3
    ├── DependencyMissing (ImportError)     install the extra it names          exit 3
    └── EnvironmentFailure (OSError)        disk, network, permissions          exit 3

Exit codes are interface: 0 done and passed, 1 done and the check failed, 2 wrong use, 3 could not do it.
An ``IntegrityError`` is never a subclass of ``ValueError``: a failed verification must not be caught by
code that forgives typing errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class HauberkError(Exception):
    """Base of all errors. ``str(error)`` is one line; ``error.hint`` is the next step, or None."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None, **facts: object) -> None:
        super().__init__(message)
        self.hint = hint
        self.facts = facts


class ConfigError(HauberkError, ValueError):
    """The call itself is wrong: a parameter out of range, a combination that makes no sense."""

    exit_code = 2


class UnknownName(ConfigError):
    """A key, option or method that does not exist; names the nearest that does."""


class DataError(HauberkError, ValueError):
    """The input cannot be used: wrong shape, out of bounds, NaN, empty, a file that is not what it says."""

    exit_code = 2


class IntegrityError(HauberkError):
    """Bytes are not what was recorded: a digest, signature, tag or chain does not verify."""

    exit_code = 1


class NoIdentityMatched(IntegrityError):
    """None of the identities opens a sealed file: another key is needed, or the file was changed."""


class AccessDenied(HauberkError, PermissionError):
    """The caller may not do this."""

    exit_code = 1


class TrailUnavailable(AccessDenied):
    """The audit trail cannot be written; whatever was asked must not happen."""

    exit_code = 3


class PolicyViolation(HauberkError):
    """A policy rule forbids this."""

    exit_code = 1


class BudgetExceeded(HauberkError):
    """A query or privacy budget does not allow this."""

    exit_code = 1


class UnsupportedModel(HauberkError, TypeError):
    """The model cannot do what was asked, however it is called."""

    exit_code = 3


class DependencyMissing(HauberkError, ImportError):
    """An optional package is needed; the hint is the exact install line."""

    exit_code = 3

    @classmethod
    def extra(cls, what: str, extra: str) -> DependencyMissing:
        return cls(f"{what} needs the '{extra}' extra", hint=f"pip install 'hauberk[{extra}]'")


class EnvironmentFailure(HauberkError, OSError):
    """The machine would not: disk full, no network, no permission."""

    exit_code = 3


def check_known(names: Iterable[object], known: Iterable[str], *, what: str, where: str) -> None:
    """Refuse the first name that is not known, with the nearest one that is.

    Args:
        what: the noun for the message, such as "key" or "method".
        where: file, section or call in which the name stands.

    Raises:
        UnknownName: with ``facts`` ``name`` and ``nearest``.
    """
    allowed = sorted(known)
    for name in names:
        if name in allowed:
            continue
        near = difflib.get_close_matches(str(name), allowed, n=1, cutoff=0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(allowed)}"
        raise UnknownName(
            f"unknown {what} '{name}' in {where}; {hint}",
            name=name,
            nearest=near[0] if near else None,
        )
