"""The only folder that touches keys. It knows bytes, not models, and starts without torch.

    age/       who may read: keys and the header that wraps one file key for many recipients (c2sp.org/age)
    floe       what they read: random-access encryption of one long message (c2sp.org/FLOE)
    derive     many keys from one (HKDF)
    secrets    bytes that are wiped when they are no longer needed

Every construction is a published one and every primitive comes from ``cryptography``.
"""
