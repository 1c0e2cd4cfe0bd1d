"""Out of MLflow: a package as it was pushed, or another model file for import."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import directory_aside, refuse_overwrite
from hauberk.core.manifest import MANIFEST
from hauberk.integrations.mlflow.loading import asking
from hauberk.integrations.mlflow.pushing import PACKAGE_TAG
from hauberk.models.package import Package, read
from hauberk.protection.scan import refuse, scan

_SCHEMES = ("models:/", "runs:/")
_FILES = (".onnx", ".safetensors", ".keras", ".h5", ".pt2", ".pth", ".pt")


def is_uri(source: str | Path) -> bool:
    """Whether this names something in MLflow: ``models:/name/1``, ``models:/name@alias``, ``runs:/id/path``."""
    return str(source).startswith(_SCHEMES)


@dataclass(frozen=True)
class Fetched:
    """What a URI led to, in a folder that is gone when the block ends.

    Args:
        place: a package's folder, or one model file.
        package: the verified package, or None.
    """

    place: Path
    package: Package | None


@contextmanager
def fetched(uri: str) -> Iterator[Fetched]:
    """Download and look at it; nothing of it is loaded.

    Raises:
        DataError: MLflow knows no such model, or it holds neither a package nor one model file.
        IntegrityError: the package was changed, or is not the one that was registered.
        EnvironmentFailure: MLflow does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="hauberk-mlflow-") as folder:
        with asking(f"fetch {uri}") as mlflow:
            registered = _registered(mlflow, uri)
            place = Path(mlflow.artifacts.download_artifacts(uri, dst_path=folder))
        manifests = sorted(one for one in place.rglob(MANIFEST) if one.is_file())
        if len(manifests) == 1:
            refuse(scan(manifests[0].parent))
            package = read(manifests[0].parent)
            if registered is not None and registered != package.digest:
                raise IntegrityError(f"{uri} holds another package than the one that was registered")
            yield Fetched(package.path, package)
            return
        files = [one for one in sorted(place.rglob("*")) if one.suffix in _FILES and one.is_file()]
        if len(files) != 1 or manifests:
            found = f"{len(manifests)} packages and {len(files)} model files"
            raise DataError(f"{uri} holds {found}", hint="one package, or one file that hauberk import reads")
        yield Fetched(files[0], None)


def pull(uri: str, out: str | Path, *, overwrite: bool = False) -> Package:
    """The package that was pushed, byte for byte.

    Raises:
        ConfigError: something is at ``out`` already.
        DataError: it is no package.
        IntegrityError, EnvironmentFailure: as ``fetched``.
    """
    refuse_overwrite(out, force=overwrite)
    with fetched(uri) as found:
        if found.package is None:
            raise DataError(
                f"{uri} holds {found.place.name}, no package", hint=f"hauberk import {uri} --out DIR"
            )
        return adopt(found.package, out)


def adopt(package: Package, out: str | Path) -> Package:
    """A copy of a verified package, verified again where it lies then."""
    with directory_aside(out) as aside:
        shutil.copytree(package.path, aside, dirs_exist_ok=True)
    return read(out)


def _registered(mlflow: Any, uri: str) -> str | None:
    """The digest that the registry noted, where the URI names a version in it."""
    name, _, version = uri.removeprefix("models:/").partition("/")
    client = mlflow.MlflowClient()
    if not uri.startswith("models:/"):
        return None
    if "@" in name:
        found = client.get_model_version_by_alias(*name.split("@", 1))
    elif version.isdigit():
        found = client.get_model_version(name, version)
    else:
        return None
    digest = found.tags.get(PACKAGE_TAG)
    return None if digest is None else str(digest)
