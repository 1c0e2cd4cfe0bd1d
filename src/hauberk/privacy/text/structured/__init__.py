"""Numbers and codes with a form of their own: what institutions, networks and programs give to people."""

from hauberk.privacy.text.structured.rules import RULES

__all__ = ["RULES"]
