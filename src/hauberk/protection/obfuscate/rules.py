"""What each operation does to axes; an operation that is not here is left alone with all that it touches.

A rule may be too strict but never too lax: what it leaves free will be permuted and multiplied.
"""

from __future__ import annotations

from hauberk.protection.obfuscate.layer_rules import LAYERS
from hauberk.protection.obfuscate.pointwise_rules import POINTWISE
from hauberk.protection.obfuscate.shape_rules import SHAPES
from hauberk.protection.obfuscate.walk import Rule

RULES: dict[str, Rule] = {
    name: rule for rule, names in (POINTWISE | LAYERS | SHAPES).items() for name in names.split()
}
"""By the names of operations."""
