"""Where a model may come from: a file, a Hugging Face folder, MLflow; what comes in is looked at first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hauberk.core.errors import ConfigError
from hauberk.protection.scan.importing import import_scanned

if TYPE_CHECKING:
    from hauberk.models.importing import ImportedModel
    from hauberk.models.package import Package

_FOLDER_OPTIONS = ("input_shape", "labels", "normalization")


@contextmanager
def opened_source(source: str | Path) -> Iterator[tuple[Path, Package | None]]:
    """``(place, package)``: a path as it is, or what an MLflow URI led to; the package where it is one.

    Raises:
        DataError, IntegrityError, EnvironmentFailure: as ``hauberk.integrations.mlflow.fetched``.
    """
    from hauberk.integrations.mlflow.pulling import fetched, is_uri

    if not is_uri(source):
        yield Path(source), None
        return
    with fetched(str(source)) as found:
        yield found.place, found.package


def bring_in(path: Path, **options: Any) -> ImportedModel:
    """A classifier from a file or a Hugging Face folder, after a scan that found nothing.

    Args:
        options: of ``hauberk.models.importing.import_model``; None is as if it were not given.

    Raises:
        ConfigError: an option that a folder answers by itself.
        HauberkError: as ``import_model`` and ``hauberk.integrations.huggingface.import_folder``.
    """
    from hauberk.integrations.huggingface.importing import import_folder, is_folder
    from hauberk.models.importing import import_model

    given = {name: value for name, value in options.items() if value is not None}
    if not is_folder(path):
        return import_scanned(path, lambda file: import_model(file, **given))
    if given.pop("bounds", (0.0, 1.0)) != (0.0, 1.0):
        raise ConfigError("a Hugging Face folder is brought in for images in [0, 1]; leave --bounds out")
    foreign = sorted(given.keys() - set(_FOLDER_OPTIONS))
    if foreign:
        raise ConfigError(f"{path} carries its own network; leave out --{foreign[0]}")
    return import_folder(path, **given)
