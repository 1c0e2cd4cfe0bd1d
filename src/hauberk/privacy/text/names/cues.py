"""Words that stand beside names in Chinese text, by how much they speak for a name (tenths of nats)."""

from __future__ import annotations

from hauberk.privacy.text.tables import kinds, verbs

_ROLE, _FORM, _BESIDE, _VERB = 38, 62, 34, 8
TITLE = 32

_KINDS = kinds("cues_zh.txt")
_FORMS = _KINDS["form"]

# Before a colon or a space. Roles stand before what people say too (客服：明白), what forms ask for does not.
LABELS: dict[str, int] = dict.fromkeys(_KINDS["label"], _ROLE) | dict.fromkeys(_FORMS, _FORM)
FORM_LABEL = "|".join(sorted(_FORMS, key=len, reverse=True))

# Titles after which a surname alone stands for the person.
ADDRESSED = frozenset(_KINDS["addressed"])

# What stands behind the names of places and firms.
INSTITUTIONS = frozenset(_KINDS["institution"])


def _speaking(side: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, listed in _KINDS.items():
        if kind.startswith(f"{side}:"):
            found |= dict.fromkeys(listed, int(kind.partition(":")[2]))
    return found


# Right before the name, and right after it.
_LOOSE = frozenset(_KINDS["loose"])
LEFT: dict[str, int] = {one: _BESIDE for one in LABELS if one not in _LOOSE} | _speaking("left")
VERBS = frozenset(one for one in _KINDS["right:14"] if len(one) == 1)
RIGHT: dict[str, int] = (
    dict.fromkeys(verbs(), _VERB) | dict.fromkeys(_KINDS["title"], TITLE) | _speaking("right")
)

# Single characters that follow names, and seldom end them.
WEAK = frozenset(
    one for kind, listed in _KINDS.items() if kind.startswith("right:") for one in listed if len(one) == 1
)
