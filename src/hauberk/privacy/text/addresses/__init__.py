"""Postal addresses, Chinese and English."""

from hauberk.privacy.text.addresses.chinese import ChineseAddresses
from hauberk.privacy.text.addresses.english import EnglishAddresses

__all__ = ["ChineseAddresses", "EnglishAddresses"]
