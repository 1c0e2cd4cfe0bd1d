"""Training: one loop for plain and for robust learning."""

from __future__ import annotations

from hauberk.models.training.lesson import Lesson, Moment, Plain, accuracy
from hauberk.models.training.loop import check_labels_differ, check_mixing, learn, train
from hauberk.models.training.plan import TrainingPlan
from hauberk.models.training.run import TrainingDiverged

__all__ = [
    "Lesson",
    "Moment",
    "Plain",
    "TrainingDiverged",
    "TrainingPlan",
    "accuracy",
    "check_labels_differ",
    "check_mixing",
    "learn",
    "train",
]
