"""One marked network of each kind, made once."""

from __future__ import annotations

import pytest

from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.models.training import TrainingPlan
from hauberk.protection.watermark.embedding.embed import Marked, embed
from hauberk.protection.watermark.keys import MarkKey
from hauberk.protection.watermark.marks import BlackBox, Fingerprint, WhiteBox

OWNER = MarkKey(bytes(range(32)))


@pytest.fixture(scope="session")
def owner() -> MarkKey:
    return OWNER


@pytest.fixture(scope="session")
def bits_marked(plain: Classifier, digits_train: Dataset) -> Marked:
    plan = TrainingPlan(epochs=4, batch_size=64, learning_rate=2e-3, schedule="cosine")
    return embed(plain, digits_train, OWNER, WhiteBox(bits=96), plan=plan)


@pytest.fixture(scope="session")
def patterns_marked(plain: Classifier, digits_train: Dataset) -> Marked:
    plan = TrainingPlan(epochs=8, batch_size=64, learning_rate=5e-3, schedule="cosine")
    return embed(plain, digits_train, OWNER, BlackBox(patterns=10, images=32), plan=plan)


@pytest.fixture(scope="session")
def fingerprinted(plain: Classifier, digits_train: Dataset) -> Marked:
    return embed(plain, digits_train, OWNER, Fingerprint(lines=64))
