"""Feature engineering in front of a network or beside it, learnt from the training data.

The network itself is not trained again: it meets inputs that it has not learnt from, and loses some accuracy
by that. Training the wrapped classifier further, by any method, teaches it what now stands in front.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.seeds import derive_seed
from hauberk.core.settings import is_number, require_count, require_positive, require_within
from hauberk.datasets import Dataset
from hauberk.defenses.defense import Wrap
from hauberk.defenses.inference.fitting import fit_module
from hauberk.models import Classifier
from hauberk.models.checks import check_shape
from hauberk.models.parts import Autoencoder, FusedFeatures, Projection, Selection
from hauberk.models.parts.fusing import fuse
from hauberk.models.twin import pass_size, passes

_SCORES = ("anova", "mutual-information", "variance")
_NEIGHBOUR_ROWS = 2000  # mutual information looks for neighbours, which takes the square of their number
_HELD_BACK = 5  # each fifth image chooses the share of the edge classifier


@dataclass(frozen=True, kw_only=True)
class PCAProjection(Wrap):
    """Projects inputs onto the first principal components of the training data, and back; see ``Projection``.

    Args:
        components: how many, as a whole number; below 1, as many as explain this share of the variance.

    Limits: see ``Projection``; the network has not learnt from projected images, and few components cost it
    accuracy until it is trained further.
    """

    name: ClassVar[str] = "pca"

    components: float = 0.9

    def __post_init__(self) -> None:
        value: object = self.components
        if not is_number(value) or not (0 < value < 1 or value == int(value) >= 1):
            raise ConfigError(
                f"PCAProjection: components is a whole number of at least 1, or a share of the variance in "
                f"(0, 1), got {value!r}"
            )

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Projection:
        from sklearn.decomposition import PCA

        _check_fits(classifier, data)
        rows = data.images.flatten(1).numpy()
        wanted = self.components if self.components < 1 else int(self.components)
        if wanted > min(rows.shape):
            raise ConfigError(
                f"PCAProjection: {len(data)} images of {rows.shape[1]} values have at most {min(rows.shape)} "
                f"components, got components={wanted}"
            )
        found = PCA(wanted, random_state=derive_seed(seed, self.name) % 2**32).fit(rows)
        made = Projection(classifier.input_shape, len(found.components_))
        made.mean.copy_(torch.from_numpy(found.mean_))
        made.basis.copy_(torch.from_numpy(found.components_))
        return made


@dataclass(frozen=True, kw_only=True)
class AutoencoderFront(Wrap):
    """Puts a small autoencoder, trained to give clean images back, before the network; see ``Autoencoder``.

    Args:
        code: width of the bottleneck.
        hidden: width of the layers around it.
        noise: standard deviation of the Gaussian noise that it learns to take away, as a share of the range.
        epochs: of its training.

    Limits: see ``Autoencoder``; the network has not learnt from what the autoencoder makes.
    """

    name: ClassVar[str] = "autoencoder"

    code: int = 32
    hidden: int = 256
    noise: float = 0.1
    epochs: int = 20

    def __post_init__(self) -> None:
        require_count("code", self.code, self.name)
        require_count("hidden", self.hidden, self.name)
        require_within("noise", self.noise, self.name, "[0, 1]")
        require_count("epochs", self.epochs, self.name)

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Autoencoder:
        _check_fits(classifier, data)
        lower, upper = classifier.bounds.tensors(data.images)
        deviation = self.noise * (upper - lower)

        def loss(module: Autoencoder, rows: Tensor, generator: torch.Generator) -> Tensor:
            images = data.images[rows]
            noisy = images + deviation * torch.randn(images.shape, generator=generator)
            return F.mse_loss(module.changed(noisy), images)

        return fit_module(
            lambda: Autoencoder(classifier.input_shape, self.code, self.hidden),
            loss,
            len(data),
            epochs=self.epochs,
            seed=derive_seed(seed, self.name),
        )


@dataclass(frozen=True, kw_only=True)
class FeatureSelection(Wrap):
    """Keeps the input positions that tell most about the class; the others are set to their mean.

    Args:
        keep: share of the positions.
        by: ``anova`` (F statistic of the classes' means), ``mutual-information`` with the label (estimated from
            neighbours), or ``variance``, which asks no labels.

    Limits: see ``Selection``; where positions are left that a class depends on, accuracy falls.
    """

    name: ClassVar[str] = "feature-selection"

    keep: float = 0.7
    by: Literal["anova", "mutual-information", "variance"] = "anova"

    def __post_init__(self) -> None:
        require_positive("keep", self.keep, self.name)
        require_within("keep", self.keep, self.name, "(0, 1]")
        check_known([self.by], _SCORES, what="score", where=self.name)

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> Selection:
        _check_fits(classifier, data)
        rows = data.images.flatten(1)
        score = informative(rows, data.labels, self.by, derive_seed(seed, self.name) % 2**32)
        best = score.argsort(descending=True, stable=True)[: max(1, round(self.keep * len(score)))]
        kept = torch.zeros(len(score), dtype=torch.bool)
        kept[best] = True
        made = Selection(classifier.input_shape)
        made.kept.copy_(kept.view(made.shape))
        made.mean.copy_(rows.mean(dim=0).view(made.shape))
        return made


def informative(rows: Tensor, labels: Tensor, by: str, seed: int) -> Tensor:
    """How much each column of ``rows`` ``(n, values)`` says, float64 ``(values,)``; 0 where it never varies."""
    from sklearn.feature_selection import f_classif, mutual_info_classif

    score = torch.zeros(rows.shape[1], dtype=torch.float64)
    varies = (rows != rows[0]).any(dim=0)
    columns: Any = rows[:, varies].double().numpy()
    truth = labels.numpy()
    if by == "variance":
        found = columns.var(axis=0)
    elif by == "anova":
        found = f_classif(columns, truth)[0]
    else:
        some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))[
            :_NEIGHBOUR_ROWS
        ].numpy()
        found = mutual_info_classif(columns[some], truth[some], random_state=seed)
    score[varies] = torch.from_numpy(found).double()
    return score


@dataclass(frozen=True, kw_only=True)
class FeatureFusion(Wrap):
    """Mixes the network's opinion with that of a linear classifier of edge histograms; see ``FusedFeatures``.

    The classifier of edges learns from four fifths of the data. On the last fifth the mixture's share is chosen
    that makes the labels most likely; the network has seen those images before, so its own opinion counts for
    more than it would on fresh ones.

    Args:
        orientations, cells: of the histograms.
        share: of the edge classifier; None chooses it.
        epochs: of the edge classifier's training.

    Limits: see ``FusedFeatures``.
    """

    name: ClassVar[str] = "feature-fusion"

    orientations: int = 8
    cells: int = 4
    share: float | None = None
    epochs: int = 60

    def __post_init__(self) -> None:
        require_count("orientations", self.orientations, self.name, least=2)
        require_count("cells", self.cells, self.name)
        require_count("epochs", self.epochs, self.name)
        if self.share is not None:
            require_within("share", self.share, self.name, "[0, 1]")

    def part(self, classifier: Classifier, data: Dataset, seed: int) -> FusedFeatures:
        _check_fits(classifier, data)
        own_seed = derive_seed(seed, self.name)
        order = torch.randperm(len(data), generator=torch.Generator().manual_seed(own_seed))
        fifth = max(1, len(data) // _HELD_BACK)
        chooses, learns = order[:fifth], order[fifth:]

        def make() -> FusedFeatures:
            classes = classifier.num_classes
            return FusedFeatures(classifier.input_shape, classes, self.orientations, self.cells)

        def loss(module: FusedFeatures, rows: Tensor, generator: torch.Generator) -> Tensor:
            return F.cross_entropy(module.opinion(data.images[learns[rows]]), data.labels[learns[rows]])

        made = fit_module(make, loss, len(learns), epochs=self.epochs, seed=own_seed, learning_rate=0.05)
        made.share = self.share if self.share is not None else _best_share(made, classifier, data, chooses)
        return made


@torch.no_grad()
def _best_share(made: FusedFeatures, classifier: Classifier, data: Dataset, rows: Tensor) -> float:
    """To the hundredth, by cross-entropy on some images."""
    images, labels = data.images[rows], data.labels[rows]
    logits = torch.cat(
        [
            classifier(images[one].to(classifier.device)).cpu()
            for one in passes(len(images), pass_size(classifier))
        ]
    )[:, : classifier.num_classes].float()
    own = made.opinion(images)
    losses = [float(F.cross_entropy(fuse(logits, own, share / 100), labels)) for share in range(101)]
    return losses.index(min(losses)) / 100


def _check_fits(classifier: Classifier, data: Dataset) -> None:
    check_shape(classifier, data)
    if len(data) < 2 or not bool((data.images != data.images[0]).any()):
        raise ConfigError(f"{data.name}: all {len(data)} images are alike, there is nothing to learn from")
