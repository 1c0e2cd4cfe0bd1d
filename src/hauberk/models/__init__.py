"""Classifiers, the networks inside them, packages on disk, training, and models that come from elsewhere."""

from hauberk.models.architectures import ARCHITECTURES
from hauberk.models.classifier import Classifier
from hauberk.models.create import create
from hauberk.models.package import Package, load, read, save

__all__ = ["ARCHITECTURES", "Classifier", "Package", "create", "load", "read", "save"]
