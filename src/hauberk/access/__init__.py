"""Who may enter the vault and do what there, and the trail of every decision.

vault = open_vault("vault")
access = open_access(vault)
caller = access.by_key(text)
access.require(caller, Question("model.pull", "face", ("3", "production")))
"""

from __future__ import annotations

from hauberk.access.deciding import Caller, Question
from hauberk.access.entering import Access, Circumstances
from hauberk.access.gate import AccessGate
from hauberk.access.opening import check_trail, open_access

__all__ = ["Access", "AccessGate", "Caller", "Circumstances", "Question", "check_trail", "open_access"]
