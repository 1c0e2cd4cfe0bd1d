"""Obfuscation: weights that answer the same and are another's to look at, and back again for who has the key.

    from hauberk.protection.obfuscate import Key, Obfuscation, obfuscate, reverse

    key = Key.new("obfuscation.key")
    hidden = obfuscate(model, key).classifier
    again = reverse(hidden, key)                # equal to the last bit

In the order in which it happens:

    program    the network as data, as torch.export sees it
    walk       which dimensions of which tensors move together (axes; rules, one for each operation)
    plan       what may therefore be chosen: a permutation or powers of two for each group
    folding    batch norm taken up by the layer before
    growing    dummy neurons that cancel, where asked for
    moving     the key's choices carried out
    wrapping   new names
    recovery   what reversal needs, sealed into the package
    forms      all of it together, in either form

The analysis knows no key, and reversal does not repeat the analysis: it follows the plan that was kept.
"""

from __future__ import annotations

from hauberk.protection.obfuscate.key import Key
from hauberk.protection.obfuscate.obfuscate import TOLERANCE, Obfuscated, obfuscate
from hauberk.protection.obfuscate.reverse import reverse
from hauberk.protection.obfuscate.settings import Obfuscation

__all__ = ["TOLERANCE", "Key", "Obfuscated", "Obfuscation", "obfuscate", "reverse"]
