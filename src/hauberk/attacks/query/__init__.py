"""Attacks that only ask: by scores (``ScoreAttack``) or by labels (``LabelAttack``)."""

from hauberk.attacks.query.boundary import Boundary
from hauberk.attacks.query.hop_skip_jump import HopSkipJump
from hauberk.attacks.query.nes import NES
from hauberk.attacks.query.rays import RayS
from hauberk.attacks.query.simba import SimBA
from hauberk.attacks.query.spsa import SPSA
from hauberk.attacks.query.square import Square
from hauberk.attacks.query.surfree import SurFree

__all__ = ["NES", "SPSA", "Boundary", "HopSkipJump", "RayS", "SimBA", "Square", "SurFree"]
