"""Calls that must be refused, each with its kind of error and a line that says what is wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from hauberk import attacks
from hauberk.attacks import (
    APGD,
    BIM,
    DDN,
    DLR,
    EAD,
    FAB,
    FGSM,
    FMN,
    JSMA,
    MIFGSM,
    NES,
    PGD,
    RFGSM,
    SPSA,
    Boundary,
    CarliniWagner,
    CarliniWagnerLinf,
    DeepFool,
    HopSkipJump,
    RayS,
    SimBA,
    SparsePGD,
    Square,
    SurFree,
)
from hauberk.core.errors import ConfigError, DataError, UnknownName, UnsupportedModel
from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.threats import Knowledge, Linf, ThreatModel

SETTINGS: list[tuple[str, Callable[[], object]]] = [
    ("steps", lambda: PGD(steps=0)),
    ("steps", lambda: PGD(steps=-5)),
    ("steps", lambda: PGD(steps=2.5)),  # type: ignore[arg-type]
    ("steps", lambda: PGD(steps=True)),
    ("restarts", lambda: PGD(restarts=0)),
    ("restarts", lambda: APGD(restarts=0)),
    ("step_size", lambda: BIM(step_size=0.0)),
    ("step_size", lambda: BIM(step_size=-0.1)),
    ("same", lambda: PGD(random_start=False, restarts=3)),
    ("share", lambda: RFGSM(share=1.0)),
    ("decay", lambda: MIFGSM(decay=1.5)),
    ("eot", lambda: FGSM(eot=0)),
    ("step_size", lambda: BIM(step_size=float("inf"))),
    ("step_size", lambda: BIM(step_size="x")),  # type: ignore[arg-type]
    ("share", lambda: RFGSM(share=".5")),  # type: ignore[arg-type]
    ("decay", lambda: MIFGSM(decay="much")),  # type: ignore[arg-type]
    ("random_start", lambda: PGD(random_start="no")),  # type: ignore[arg-type]
    ("objective", lambda: PGD(objective=3)),  # type: ignore[arg-type]
    ("objective", lambda: PGD(objective=DLR)),  # type: ignore[arg-type]
    ("steps", lambda: FMN(steps=0)),
    ("gamma", lambda: FMN(gamma=1.0)),
    ("gamma", lambda: DDN(gamma=0.0)),
    ("radius", lambda: DDN(radius=-1.0)),
    ("settle", lambda: FMN(settle="yes")),  # type: ignore[arg-type]
    ("refinements", lambda: DeepFool(refinements=-1)),
    ("refinements", lambda: DeepFool(refinements=False)),
    ("overshoot", lambda: DeepFool(overshoot=-0.1)),
    ("rivals", lambda: FAB(rivals=0)),
    ("restarts", lambda: FAB(restarts=0)),
    ("rounds", lambda: CarliniWagner(rounds=0)),
    ("weight", lambda: CarliniWagner(weight=0.0)),
    ("confidence", lambda: CarliniWagnerLinf(confidence=-1.0)),
    ("beta", lambda: EAD(beta=0.0)),
    ("steps", lambda: JSMA(steps=0)),
    ("step_size", lambda: SparsePGD(step_size=0.0)),
    ("queries", lambda: Square(queries=0)),
    ("queries", lambda: RayS(queries=2.5)),  # type: ignore[arg-type]
    ("share", lambda: Square(share=0.0)),
    ("share", lambda: Square(share=1.5)),
    ("objective", lambda: Square(objective=DLR)),  # type: ignore[arg-type]
    ("pairs", lambda: NES(pairs=0)),
    ("reach", lambda: SPSA(reach=0.0)),
    ("step_size", lambda: NES(step_size=-1.0)),
    ("decay", lambda: NES(decay=1.0)),
    ("did you mean 'pixels'", lambda: SimBA(basis="pixel")),  # type: ignore[arg-type]
    ("step_size", lambda: SimBA(step_size=0.0)),
    ("settle", lambda: HopSkipJump(settle="no")),  # type: ignore[arg-type]
    ("tries", lambda: Boundary(tries=0)),
    ("probes", lambda: HopSkipJump(probes=0)),
    ("sideways", lambda: Boundary(sideways=0.0)),
    ("inwards", lambda: Boundary(inwards=-1.0)),
    ("share", lambda: SurFree(share=0.0)),
]


@pytest.mark.parametrize(("word", "make"), SETTINGS)
def test_settings_out_of_range(word: str, make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match=word):
        make()


def test_misspelt_settings_are_refused() -> None:
    with pytest.raises(TypeError, match="stepz"):
        PGD(stepz=3)  # type: ignore[call-arg]
    with pytest.raises(UnknownName, match="did you mean 'steps'"):
        attacks.make("pgd", stepz=3)
    with pytest.raises(UnknownName, match="did you mean 'fgsm'"):
        attacks.make("fgms")
    with pytest.raises(UnknownName, match="margin"):
        PGD(objective="margn")


def broken_inputs(digits: Dataset) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    images, labels = digits.images[:4], digits.labels[:4]
    nan = images.clone()
    nan[2, 0, 0, 0] = float("nan")
    return {
        "image 2 holds NaN": (nan, labels),
        "leaves the valid bounds": (images * 3, labels),
        "must be \\(n, 1, 8, 8\\)": (images[:, :, :7], labels),
        "the batch is empty": (images[:0], labels[:0]),
        "floating point": ((images * 255).to(torch.uint8), labels),
        "must lie in \\[0, 10\\)": (images, labels + 10),
        "labels must be \\(4,\\)": (images, labels[:3]),
        "labels must be integers": (images, labels.float()),
    }


@pytest.mark.parametrize(
    "message",
    [
        "image 2 holds NaN",
        "leaves the valid bounds",
        "must be \\(n, 1, 8, 8\\)",
        "the batch is empty",
        "floating point",
        "must lie in \\[0, 10\\)",
        "labels must be \\(4,\\)",
        "labels must be integers",
    ],
)
def test_broken_inputs(message: str, plain: Classifier, digits: Dataset) -> None:
    images, labels = broken_inputs(digits)[message]
    with pytest.raises(DataError, match=message):
        PGD(steps=2)(plain, images, labels, Linf(0.1))


def test_threats_that_do_not_fit(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    with pytest.raises(ConfigError, match="larger than the valid range"):
        PGD()(plain, images, labels, Linf(8.0))
    with pytest.raises(ConfigError, match="needs white-box knowledge"):
        PGD()(plain, images, labels, ThreatModel(Linf(0.1), knowledge=Knowledge.SCORES))
    with pytest.raises(ConfigError, match="pass targets="):
        PGD()(plain, images, labels, ThreatModel(Linf(0.1), targeted=True))
    with pytest.raises(ConfigError, match="true class"):
        PGD()(plain, images, labels, ThreatModel(Linf(0.1), targeted=True), targets=labels)
    with pytest.raises(ConfigError, match="untargeted"):
        PGD()(plain, images, labels, Linf(0.1), targets=labels)
    with pytest.raises(ConfigError, match="expected a threat"):
        PGD()(plain, images, labels, 0.1)  # type: ignore[arg-type]


def test_models_that_cannot_be_attacked_honestly(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    with pytest.raises(ConfigError, match=r"expected a hauberk\.Classifier"):
        PGD()(plain.module, images, labels, Linf(0.1))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="train mode"):
        PGD()(copy.deepcopy(plain).train(), images, labels, Linf(0.1))
    softmax = nn.Sequential(plain.module, nn.Softmax(dim=1))
    with pytest.raises(UnsupportedModel, match="probabilities"):
        PGD()(Classifier(softmax, input_shape=(1, 8, 8), labels=10).eval(), images, labels, Linf(0.1))
    converted = Classifier(softmax, input_shape=(1, 8, 8), labels=10, outputs="probabilities").eval()
    assert PGD(steps=10)(converted, images, labels, Linf(0.2)).candidates.shape == images.shape

    class Detached(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = plain.module(x.detach())
            return logits

    with pytest.raises(UnsupportedModel, match="no gradient"):
        PGD()(Classifier(Detached(), input_shape=(1, 8, 8), labels=10).eval(), images, labels, Linf(0.1))


def test_dlr_needs_enough_classes() -> None:
    model = Classifier(nn.Linear(3, 2), input_shape=(3,), labels=2).eval()
    with torch.no_grad():
        labels = model(torch.full((1, 3), 0.5)).argmax(1)
    with pytest.raises(ConfigError, match="needs 3 classes"):
        APGD(objective=DLR())(model, torch.full((1, 3), 0.5), labels, Linf(0.1))


def test_a_batch_of_one(plain: Classifier, digits: Dataset) -> None:
    result = PGD(steps=20)(plain, digits.images[:1], digits.labels[:1], Linf(0.25))
    assert result.candidates.shape == (1, 1, 8, 8)


def test_calls_that_cannot_be_meant(plain: Classifier, digits: Dataset) -> None:
    images, labels = digits.images[:4], digits.labels[:4]
    for size in (0, -5, 2.5):
        with pytest.raises(ConfigError, match="batch_size"):
            PGD()(plain, images, labels, Linf(0.1), batch_size=size)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"indices must be a torch\.Tensor"):
        PGD()(plain, images, labels, Linf(0.1), indices=[0, 1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="does not pay for one question"):
        PGD(eot=4)(plain, images, labels, ThreatModel(Linf(0.1), queries=3))
    other = Classifier(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), input_shape=(1, 8, 8), labels=3).eval()
    with pytest.raises(ConfigError, match="gradients_from takes"):
        PGD()(plain, images, labels, Linf(0.1), gradients_from=other)
    elsewhere = copy.deepcopy(plain).to("meta")
    with pytest.raises(ConfigError, match="gradients_from is on meta, the classifier on cpu"):
        PGD()(plain, images, labels, Linf(0.1), gradients_from=elsewhere)
