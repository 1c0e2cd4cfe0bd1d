"""Defences against poisoned data and backdoors: find bad rows and learn without them, or mend the model.

Row finders (``RowCleansing``) look through the training data; the others take a model as it is and some data
that are known to be right. None of them judges itself: ``hauberk.evaluation.backdoor`` compares what was found
with what was poisoned, and asks the models before and after.
"""

from __future__ import annotations

from hauberk.defenses.cleansing.clustering import ActivationClustering
from hauberk.defenses.cleansing.confident import ConfidentLearning
from hauberk.defenses.cleansing.fine_pruning import FinePruning
from hauberk.defenses.cleansing.neural_cleanse import NeuralCleanse
from hauberk.defenses.cleansing.reverse import Reconstruction
from hauberk.defenses.cleansing.rows import Finding, RowCleansing
from hauberk.defenses.cleansing.spectral import SpectralSignatures
from hauberk.defenses.defense import Defense

DEFENSES: tuple[type[Defense], ...] = (
    ConfidentLearning,
    SpectralSignatures,
    ActivationClustering,
    NeuralCleanse,
    FinePruning,
)

__all__ = [
    "DEFENSES",
    "ActivationClustering",
    "ConfidentLearning",
    "Finding",
    "FinePruning",
    "NeuralCleanse",
    "Reconstruction",
    "RowCleansing",
    "SpectralSignatures",
]
