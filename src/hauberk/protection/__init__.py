"""The model as property: sealed, signed, obfuscated, watermarked, traced; and foreign files, scanned.

One folder each. Who makes a claim is never who confirms it: sealing and opening, signing and verifying,
embedding and detecting, issuing and accusing share only their specification. Nothing is imported here, so that
the parts that need no torch start without it.
"""
