"""Names of people, Chinese and English, from tables of names and words and from what stands beside them."""

from hauberk.privacy.text.names.chinese import ChineseNames
from hauberk.privacy.text.names.english import EnglishNames

__all__ = ["ChineseNames", "EnglishNames"]
