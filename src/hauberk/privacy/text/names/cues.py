"""Words that stand beside names in Chinese text, by how much they speak for a name (tenths of nats)."""

from __future__ import annotations

from hauberk.privacy.text.tables import kinds

_ROLE, _FORM, _BESIDE = 38, 62, 28
TITLE = 32

_KINDS = kinds("cues_zh.txt")
_FORMS = _KINDS["form"]

# Before a colon or a space. Roles stand before what people say too (客服：明白), what forms ask for does not.
LABELS: dict[str, int] = dict.fromkeys(_KINDS["label"], _ROLE) | dict.fromkeys(_FORMS, _FORM)
FORM_LABEL = "|".join(sorted(_FORMS, key=len, reverse=True))

# Titles after which a surname alone stands for the person.
ADDRESSED = frozenset(_KINDS["addressed"])


def _speaking(side: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, listed in _KINDS.items():
        if kind.startswith(f"{side}:"):
            found |= dict.fromkeys(listed, int(kind.partition(":")[2]))
    return found


# Right before the name, and right after it.
_LOOSE = frozenset(_KINDS["loose"])
LEFT: dict[str, int] = {one: _BESIDE for one in LABELS if one not in _LOOSE} | _speaking("left")
RIGHT: dict[str, int] = dict.fromkeys(_KINDS["title"], TITLE) | _speaking("right")
