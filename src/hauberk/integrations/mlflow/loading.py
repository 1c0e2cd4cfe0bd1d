"""MLflow itself: imported when first used, quiet about its user, and its failures as ours."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hauberk.core.errors import DataError, DependencyMissing, EnvironmentFailure, HauberkError
from hauberk.integrations.quiet import quiet

_ABSENT = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "INVALID_PARAMETER_VALUE"}


def loaded() -> Any:
    """The module ``mlflow``.

    Raises:
        DependencyMissing: it is not installed.
    """
    if "mlflow" not in sys.modules:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # it tells its makers who uses what otherwise
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # of 7: minutes until it says no
    try:
        with quiet():
            import mlflow
            import mlflow.pyfunc
    except ImportError as error:
        raise DependencyMissing.extra("talking to MLflow", "mlflow") from error
    return mlflow


@contextmanager
def asking(what: str) -> Iterator[Any]:
    """The module, with its failures turned into one clear line.

    Args:
        what: what is being done, for the message.

    Raises:
        DataError: there is no such thing in MLflow.
        EnvironmentFailure: it does not answer, or refuses.
    """
    mlflow = loaded()
    try:
        with quiet():
            yield mlflow
    except HauberkError:
        raise
    except mlflow.exceptions.MlflowException as error:
        kind = DataError if error.error_code in _ABSENT else EnvironmentFailure
        raise kind(f"MLflow could not {what}: {_first(error)}", hint=_hint(mlflow)) from error
    except OSError as error:  # requests' errors are of this kind too
        raise EnvironmentFailure(f"MLflow could not {what}: {_first(error)}", hint=_hint(mlflow)) from error


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _hint(mlflow: Any) -> str:
    return f"asked was {_without_password(mlflow.get_tracking_uri())}; MLFLOW_TRACKING_URI names another place"


def _without_password(uri: str) -> str:
    """Database addresses hold passwords, which must not be shown."""
    scheme, mark, rest = uri.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"
