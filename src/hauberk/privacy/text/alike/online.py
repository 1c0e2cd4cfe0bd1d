"""Where people are reached on networks: replacements that belong to nobody.

Mail goes to ``example.com`` (RFC 2606), IPv6 addresses lie in 2001:db8::/32 (RFC 3849), network cards have an
address that no maker gives out.
"""

from __future__ import annotations

import ipaddress

from hauberk.privacy.text.alike import mixed
from hauberk.privacy.text.alike.draws import Choice
from hauberk.privacy.text.alike.shape import shaped

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_UNICAST = 223 << 24  # addresses from 1.0.0.0 to 223.255.255.255


def email(text: str, choice: Choice) -> str:
    """60 bits of name at ``example.com``."""
    return f"u{_word(choice, 12)}@example.com"


def wechat(text: str, choice: Choice) -> str:
    return f"wx_{_word(choice, 12)}"


def ip(text: str, choice: Choice) -> str:
    """Another unicast address; version 6 within the range for examples."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return shaped(text, choice)
    if address.version == 6:
        return str(
            ipaddress.IPv6Address((0x20010DB8 << 96) | choice.below(1 << 64) << 32 | choice.below(1 << 32))
        )
    value = int(address) - (1 << 24)
    place = choice.place(_UNICAST, value if 0 <= value < _UNICAST else None)
    return str(ipaddress.IPv4Address(place + (1 << 24)))


def mac(text: str, choice: Choice) -> str:
    """Locally administered: ``02`` and five bytes that were drawn."""
    fresh = f"02{choice.below(1 << 40):010x}"
    return mixed.refilled(text, fresh.upper() if text.isupper() else fresh)


def _word(choice: Choice, length: int) -> str:
    return "".join(choice.of(_LETTERS) for _ in range(length))
