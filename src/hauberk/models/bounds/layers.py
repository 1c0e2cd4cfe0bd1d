"""Which networks bounds can be propagated through: a chain of layers, each of a kind known here."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from hauberk.core.errors import UnsupportedModel
from hauberk.models.architectures import Contrast
from hauberk.models.classifier import Classifier, Normalization

LINEAR = (nn.Linear, nn.Conv2d)
MONOTONE = (nn.ReLU, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, Contrast, Normalization)
_SILENT = (nn.Identity, nn.Dropout, nn.Dropout2d)  # nothing, once a network is in use
_KNOWN = (*LINEAR, *MONOTONE, nn.BatchNorm1d, nn.BatchNorm2d)


def chain(classifier: Classifier) -> list[nn.Module]:
    """The classifier's layers in the order in which an input passes them, normalisation first.

    Raises:
        UnsupportedModel: a layer of another kind, parts around the network, or a network that does not end in
            a linear layer.
    """
    parts = [part.name for part in classifier.defences]
    if parts:
        raise UnsupportedModel(
            f"bounds cannot be propagated through {parts[0]}, which stands around the network",
            hint="train the network first, and put other defences around it afterwards",
        )
    layers = list(_flat(classifier.module, ""))
    if not layers or not isinstance(layers[-1], nn.Linear):
        last = type(layers[-1]).__name__ if layers else "nothing"
        raise UnsupportedModel(f"bounds need a network that ends in a linear layer, this one ends in {last}")
    return [classifier.normalization, *layers] if classifier.normalization is not None else layers


def _flat(module: nn.Module, name: str) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for key, inner in module.named_children():
            yield from _flat(inner, f"{name}.{key}" if name else key)
        return
    if type(module) in _SILENT:
        return
    if type(module) not in _KNOWN or not _plain(module):
        raise UnsupportedModel(
            f"bounds cannot be propagated through {f'layer {name}, ' if name else ''}{module}".splitlines()[0],
            hint="known: chains of linear, conv, ReLU, pooling, flatten and batch-norm layers (cnn, mlp)",
        )
    yield module


def _plain(module: nn.Module) -> bool:
    """Whether a layer of a known kind is used in the way that is known."""
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    if isinstance(module, nn.Conv2d):
        return module.padding_mode == "zeros"
    if isinstance(module, nn.MaxPool2d):
        return not module.return_indices
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return module.running_mean is not None
    return True
