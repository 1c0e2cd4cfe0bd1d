"""Whose is it: marks that a model keeps when it is trained on, cut or rewritten, and that a key reads back.

    keys          the secret from which a mark is derived
    marks         what can be chosen about each kind of mark
    commitment    the record that a key and a mark existed, told without telling the key
    embedding     a marked copy
    verification  what a suspect says, and how likely an innocent one would say it

Embedding and verification share only ``docs/spec/watermark.md`` and the three files above; each derives a mark
from the key by code of its own. Nothing is imported here: keys and commitments work without torch.
"""
