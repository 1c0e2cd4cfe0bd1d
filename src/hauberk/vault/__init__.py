"""Where model packages, evidence and identities live."""
