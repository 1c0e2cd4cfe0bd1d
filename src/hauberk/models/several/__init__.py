"""Several classifiers as one: averages, votes and a gate that chooses between them."""

from __future__ import annotations

from hauberk.models.several.gated import Gate, Gated
from hauberk.models.several.making import COMBINATIONS, apart, ensemble, fusion, rebuilt
from hauberk.models.several.means import Averaging, Voting
from hauberk.models.several.members import Several, check_fits, check_members, member_files

__all__ = [
    "COMBINATIONS",
    "Averaging",
    "Gate",
    "Gated",
    "Several",
    "Voting",
    "apart",
    "check_fits",
    "check_members",
    "ensemble",
    "fusion",
    "member_files",
    "rebuilt",
]
