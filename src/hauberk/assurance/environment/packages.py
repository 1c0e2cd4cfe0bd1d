"""Packages by name and version: those of this interpreter, and those that stand in lock files."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

# What touches models and tensors, or reads the files in which they come: a hole here opens with the model.
NEIGHBOURS = frozenset(
    """
    torch torchvision torchaudio torchtext torch-geometric pytorch-lightning lightning torchserve
    numpy scipy scikit-learn pandas pillow opencv-python opencv-python-headless imageio h5py joblib
    safetensors transformers diffusers huggingface-hub tokenizers accelerate peft datasets timm sentencepiece
    onnx onnxruntime onnxruntime-gpu keras tensorflow jax flax protobuf pyyaml
    ray mlflow mlflow-skinny gradio vllm litserve triton tritonclient bentoml kubeflow wandb
    cryptography hauberk
    """.split()  # noqa: SIM905 (a list with a word a line would fill a page)
)


@dataclass(frozen=True, order=True)
class Package:
    """A package and where it is said.

    Args:
        name: as PEP 503 normalises it.
        version: as it is written; empty where no single version is said.
        source: ``installed``, or the path of the file.
        line: in that file, from 1; 0 where lines say nothing.
        asked: what stands there in place of a version, such as ``>=2``.
        hashes: SHA-256 digests that the file demands, in hex.
    """

    name: str
    version: str
    source: str
    line: int = 0
    asked: str = ""
    hashes: tuple[str, ...] = ()

    @property
    def neighbour(self) -> bool:
        """Whether it works on models or the files in which they come."""
        return self.name in NEIGHBOURS

    @property
    def parsed(self) -> Version | None:
        """The version as PEP 440 orders it; None where there is none, or none that PEP 440 knows."""
        try:
            return Version(self.version)
        except InvalidVersion:
            return None


def named(name: str, version: str, source: str, **facts: object) -> Package:
    """A package under its normalised name."""
    return Package(str(canonicalize_name(name)), version, source, **facts)  # type: ignore[arg-type]


def installed(paths: list[str | Path] | None = None) -> list[Package]:
    """What this interpreter would import, or what lies in other folders of packages, by name.

    Args:
        paths: folders such as ``venv/lib/python3.12/site-packages``; None for this interpreter's own.

    Of a package that lies there twice the first one counts, as it does for ``import``.
    """
    there = (
        metadata.distributions() if paths is None else metadata.distributions(path=[str(one) for one in paths])
    )
    found: dict[str, Package] = {}
    for one in there:
        name = _name(one)
        if name:
            package = named(name, one.version or "", "installed")
            found.setdefault(package.name, package)
    return sorted(found.values())


def _name(one: metadata.Distribution) -> str | None:
    """None for a broken installation, which has no metadata; whether that is an error depends on the finder."""
    try:
        return one.metadata["Name"]
    except FileNotFoundError:
        return None
