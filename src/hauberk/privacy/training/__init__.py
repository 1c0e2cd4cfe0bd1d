"""Differentially private training: DP-SGD, its accounting, and calibration to a target."""

from hauberk.privacy.training.accounting import Cost, calibrate
from hauberk.privacy.training.book import Book, Clip
from hauberk.privacy.training.noise import NoiseSource
from hauberk.privacy.training.trainer import PrivateTraining, suggested_plan

__all__ = ["Book", "Clip", "Cost", "NoiseSource", "PrivateTraining", "calibrate", "suggested_plan"]
