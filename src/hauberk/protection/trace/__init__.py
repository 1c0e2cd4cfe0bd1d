"""Who leaked it: every recipient's copy carries a fingerprint that a few colluders cannot wash out.

    key         the secret from which everything below is derived
    code        the code words: which bit a recipient has in which position (Tardos 2008, symmetric)
    carriers    which weights carry which position
    register    to whom copies were issued
    issuing     a recipient's copy
    aligning    permuted and rescaled tensors put back in order
    reading     what a leaked model says in each position
    accusing    whom that points at, and how likely it would point at an innocent one

Issuer and accuser share ``code`` and ``carriers``, the specification in code; docs/tracing.md is the same in
words. Nothing is imported here: keys and the register work without torch.
"""
