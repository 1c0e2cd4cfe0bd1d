"""Keys and passwords: by the prefixes that issuers give them, and by the words before them."""

from __future__ import annotations

import math
import re
from collections import Counter

from hauberk.privacy.text.structured.rule import Rule, always

_ISSUED = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|sk-(?:[A-Za-z0-9]{2,12}-){0,3}[A-Za-z0-9_-]{20,200}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,128}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,200}|AIza[A-Za-z0-9_-]{35}|hf_[A-Za-z0-9]{30,60}|npm_[A-Za-z0-9]{36}"
    r"|pypi-AgE[A-Za-z0-9_-]{50,250}|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|LTAI[A-Za-z0-9]{12,26}"
    r"|AKID[A-Za-z0-9]{32}|AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{40,200}|dop_v1_[a-f0-9]{64}"
    r"|eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{10,1000}"  # JSON web token
)
_WORDS = (
    r"(?:pass(?:word|wd|phrase|code)|pwd|secret|token|credential|(?:api|access|private|secret"
    r"|auth|app)[ _-]?key"
    r"|密码|口令|密钥|令牌|授权码)"
)
_LEAST_ENTROPY = 3.0  # bits a character; words and counters have less


def _entropy(value: str) -> float:
    counts = Counter(value).values()
    return -sum(count / len(value) * math.log2(count / len(value)) for count in counts)


def _told(match: re.Match[str]) -> float:
    """What stands after a word for secrets: no word, no placeholder, no reference to a variable."""
    value = match["value"]
    kinds = {"digit" if one.isdigit() else "letter" if one.isalpha() else "sign" for one in value}
    if len(kinds) < 2 and not (value.isalpha() and len(value) >= 16 and _entropy(value) > _LEAST_ENTROPY):
        return 0.85 if value.isdigit() else 0.0
    if value.startswith(("$", "<", "{", "%", "*", "os.", "env.", "process.")) or value.endswith(("(", ")")):
        return 0.0
    if not any(one.isdigit() for one in value) and _entropy(value) < _LEAST_ENTROPY:
        return 0.0
    return 0.9


RULES = (
    Rule("SECRET", re.compile(rf"(?<![A-Za-z0-9_])(?:{_ISSUED})(?![A-Za-z0-9])"), always(0.99)),
    Rule("SECRET", re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"), always(0.99)),
    Rule(
        "SECRET",
        re.compile(
            rf"{_WORDS}[A-Za-z_]{{0,12}}[\"']?(?: ?[:=：] ?|是|为| is ){{1,2}}[\"']?"
            r"(?P<value>[!#-&(-+\--:<-~]{6,256})",
            re.IGNORECASE,
        ),
        _told,
        "value",
    ),
    Rule(
        "SECRET",
        re.compile(r"://[A-Za-z0-9_.-]{1,64}:(?P<value>[^\s@/:]{3,128})@(?=[A-Za-z0-9])"),
        always(0.9),
        "value",
    ),
)
