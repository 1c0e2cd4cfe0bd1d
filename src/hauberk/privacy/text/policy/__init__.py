"""What is done with what is found.

policy        the whole, from TOML; the safe default
actions       keep, delete, tag, mask, pseudonym, generalise, random
keys          what a key makes of values
generalising  less of a value
columns       columns whose names say what they hold
"""

from __future__ import annotations

from hauberk.privacy.text.policy.actions import Action, Spot, Token, name_of
from hauberk.privacy.text.policy.columns import AGE
from hauberk.privacy.text.policy.keys import Keys
from hauberk.privacy.text.policy.policy import DROP, KEEP, Policy

__all__ = ["AGE", "DROP", "KEEP", "Action", "Keys", "Policy", "Spot", "Token", "name_of"]
