"""A trained generator with all that must be known to use it, in memory and in one file without any pickle."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from hauberk.attacks.advgan.networks import Generator
from hauberk.attacks.advgan.reach import Reach
from hauberk.core.canonical import digest, parse_json
from hauberk.core.errors import ConfigError, DataError, HauberkError, IntegrityError, check_known
from hauberk.core.files import read_bytes, refuse_overwrite, write_atomic
from hauberk.models import Classifier
from hauberk.models.classifier import weights_digest
from hauberk.models.twin import passes
from hauberk.threats import Bounds, ThreatModel, geometry

FORMAT = "hauberk-advgan/1"
_FACTS = ("shape", "bounds", "classes", "threat", "width", "blocks", "training")
_WIDEST, _LONGEST = 1024, 64  # far beyond use; a file must not order gigabytes
_PASS = 128  # images at once, as ``models.twin`` has it for CPUs


def check_size(width: object, blocks: object) -> None:
    """Refuse generators that nobody needs."""
    for name, value, least, most in (("width", width, 1, _WIDEST), ("blocks", blocks, 0, _LONGEST)):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ConfigError(f"AdvGAN: {name} must be a whole number from {least} to {most}, got {value!r}")


class TrainedGenerator:
    """What ``train_advgan`` makes and ``AdvGAN`` uses; it is not changed after it is made.

    Args:
        network: the generator; a copy is kept, frozen, on the same device.
        facts: JSON: ``shape``, ``bounds`` and ``classes`` of the classifiers it fits, the ``threat`` it was
            trained for (``norm``, ``eps``, ``targeted``), ``width`` and ``blocks`` of the network, and a record
            of its ``training`` with a row per epoch, its ``history``.
    """

    def __init__(self, network: Generator, facts: Mapping[str, Any]) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.facts = dict(facts)
        self.shape = tuple(facts["shape"])
        self.bounds = Bounds.of(facts["bounds"])
        self.classes = int(facts["classes"])
        self.geometry = geometry(facts["threat"]["norm"], facts["threat"]["eps"])
        self.targeted = bool(facts["threat"]["targeted"])
        self.history = [dict(row) for row in facts["training"]["history"]]
        if not all(bool(torch.isfinite(one).all()) for one in self.network.parameters()):
            raise DataError("the generator's weights hold NaN or infinity")

    def __repr__(self) -> str:
        size = "x".join(map(str, self.shape))
        kind = "targeted" if self.targeted else "untargeted"
        return f"<{self.geometry!r} {kind} {size} {self.digest}>"

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` of weights and facts."""
        return _seal(self.facts, self._weights())

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().contiguous() for name, tensor in self.network.state_dict().items()}

    def check_fits(self, classifier: Classifier, threat: ThreatModel) -> None:
        """Refuse a classifier with other images or classes, and a threat of another kind.

        Raises:
            ConfigError: says what differs.
        """
        pairs: list[tuple[str, object, object]] = [
            ("images", self.shape, classifier.input_shape),
            ("bounds", self.bounds.describe(), classifier.bounds.describe()),
            ("number of classes", self.classes, classifier.num_classes),
            ("norm", self.geometry.norm, threat.geometry.norm),
            ("targeted", self.targeted, threat.targeted),
        ]
        for what, own, asked in pairs:
            if own != asked:
                raise ConfigError(
                    f"this generator was trained for another {what}: {own}, asked for {asked}",
                    hint="train one with train_advgan(classifier, data, threat)",
                )

    @torch.no_grad()
    def candidates(self, threat: ThreatModel, images: Tensor, classes: Tensor) -> Tensor:
        """One forward pass: points of the threat's ball, within the bounds; like ``images``.

        Args:
            images: ``(n, *shape)``, on any device.
            classes: int64 ``(n,)``: the true classes, or the wanted ones when it is targeted.
        """
        weight = self.network.head.weight
        x, chosen = images.to(weight.device, weight.dtype), classes.to(weight.device)
        reach = Reach.of(threat.geometry, self.bounds, x)
        parts = [
            reach.allowed(x[part], reach.wished(self.network, x[part], chosen[part]))
            for part in passes(len(x), _PASS)
        ]
        return torch.cat(parts).to(images)

    def to(self, device: str | torch.device) -> Self:
        """The same generator on another device."""
        return type(self)(copy.deepcopy(self.network).to(device), self.facts)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """One safetensors file, with the facts as JSON in its header; whole or not there.

        Raises:
            ConfigError: something is at ``path`` already.
            EnvironmentFailure: the disk is full or not writable.
        """
        refuse_overwrite(path, force=overwrite)
        record = {"facts": self.facts, "digest": self.digest}
        return write_atomic(
            path, safetensors.torch.save(self._weights(), metadata={FORMAT: json.dumps(record)})
        )

    @classmethod
    def load(cls, path: str | Path, *, device: str | torch.device = "cpu") -> Self:
        """What ``save`` wrote; nothing in it is executed.

        Raises:
            DataError: there is no file, it is not a generator, or its facts make no sense.
            UnknownName: facts that do not belong.
            IntegrityError: the file is damaged or was changed.
        """
        where = str(path)
        raw = read_bytes(path, what="generator")
        facts, weights = _parse(raw, Path(path))
        try:
            check_known(facts, _FACTS, what="fact", where=where)
            check_size(facts["width"], facts["blocks"])
            with torch.device("meta"):  # no memory, no random numbers
                network = Generator(
                    facts["shape"], facts["classes"], width=facts["width"], blocks=facts["blocks"]
                )
            network.load_state_dict(weights, assign=True)
            made = cls(network, facts)
        except HauberkError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError, OverflowError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{where}: the facts and the weights do not make a generator ({first})") from error
        return made if torch.device(device).type == "cpu" else made.to(device)


def _seal(facts: Mapping[str, Any], weights: Mapping[str, Tensor]) -> str:
    return digest({"facts": dict(facts), "weights": weights_digest(weights)})


def _parse(raw: bytes, path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Facts and weights of a file whose digest is right."""
    try:
        weights = safetensors.torch.load(raw)
    except safetensors.SafetensorError as error:
        raise IntegrityError(f"{path} is not a whole safetensors file ({error})") from error
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    metadata = parse_json(header, where=str(path)).get("__metadata__", {})
    if FORMAT not in metadata:
        raise DataError(f"{path} is not a generator of the format '{FORMAT}'")
    record = parse_json(metadata[FORMAT].encode(), where=str(path))
    if not isinstance(record, dict) or not isinstance(record.get("facts"), dict):
        raise DataError(f"{path}: the facts are not a JSON object")
    if _seal(record["facts"], weights) != record.get("digest"):
        raise IntegrityError(f"{path} was changed after it was written: its digest does not match")
    return record["facts"], weights
