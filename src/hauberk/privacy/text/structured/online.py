"""Where people are reached on networks: e-mail, WeChat, QQ, addresses of machines."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.page import before
from hauberk.privacy.text.structured.rule import Rule

_DOMAIN = re.compile(
    r"@((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24}))(?![A-Za-z0-9])"
)
_LOCAL_REVERSED = re.compile(r"[A-Za-z0-9_%+.'-]{0,63}[A-Za-z0-9_+]")
_FILES = frozenset(("png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "py", "html", "pdf"))
_VERSION = re.compile(
    r"(?:version|ver|release|section|chapter|build|版本号?|v|章|节|oid)[ .:：=]{0,3}$", re.IGNORECASE
)


class EmailRule:
    """Looks for the sign first: most lines have none."""

    type = "EMAIL"

    def find(self, text: str) -> Iterator[Finding]:
        for match in _DOMAIN.finditer(text):
            local = _LOCAL_REVERSED.match(text[max(0, match.start() - 64) : match.start()][::-1])
            if local is None or match[2].lower() in _FILES:
                continue
            start = match.start() - local.end()
            while text[start] in ".'-%":
                start += 1
            yield Finding(start, match.end(), self.type, 0.99)


def _wechat(match: re.Match[str]) -> float:
    said = any(one in match["sign"] for one in ":=：是为号") or not match["id"].isalpha()
    return 0.9 if said else 0.0


def _ipv4(match: re.Match[str]) -> float:
    if any(int(one) > 255 or (len(one) > 1 and one[0] == "0") for one in match[0].split(".")):
        return 0.0
    if match[0].startswith(("0.", "127.", "255.")) or _VERSION.search(before(match.string, match.start(), 14)):
        return 0.0
    return 0.9


def _ipv6(match: re.Match[str]) -> float:
    groups = [one for one in match[0].split(":") if one]
    if len(groups) < 3 or not any(one.isdigit() for one in match[0]):
        return 0.0
    try:
        ipaddress.IPv6Address(match[0])
    except ValueError:
        return 0.0
    return 0.95


RULES = (
    EmailRule(),
    Rule(
        "WECHAT",
        re.compile(
            r"(?:微信|薇信|V信|威信|weixin|wechat|(?<![A-Za-z])(?:wx|vx))(?P<sign>(?: ?(?:号码?|id"
            r"|账号|帐号))?[ :=：是为]{0,4})"
            r"(?P<id>[A-Za-z][A-Za-z0-9_-]{5,19})(?![A-Za-z0-9_@.-])",
            re.IGNORECASE,
        ),
        _wechat,
        "id",
    ),
    Rule("WECHAT", re.compile(r"(?<![A-Za-z0-9_])wxid_[a-z0-9]{8,24}(?![A-Za-z0-9])"), lambda match: 0.99),
    Rule(
        "QQ",
        re.compile(
            r"(?:(?<![A-Za-z])QQ|扣扣|企鹅号)(?:号码?|群号?)?(?: ?(?:number|no\.?))?[ "
            r":=：是为]{0,4}(?P<id>[1-9]\d{4,10})(?![\dA-Za-z@])",
            re.IGNORECASE,
        ),
        lambda match: 0.95,
        "id",
    ),
    Rule("IP", re.compile(r"(?<![A-Za-z0-9_.])(?:\d{1,3}\.){3}\d{1,3}(?![A-Za-z0-9_]|\.\d)"), _ipv4),
    Rule(
        "IP",
        re.compile(
            r"(?<![A-Za-z0-9_:.])(?:[0-9A-Fa-f]{1,4}|(?=::)):(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4"
            r"}(?![A-Za-z0-9_:])"
        ),
        _ipv6,
    ),
    Rule(
        "MAC",
        re.compile(
            r"(?<![0-9A-Za-z:-])[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![0-9A-Za-z:-])"
            r"|(?<![0-9A-Za-z.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![0-9A-Za-z.])"
        ),
        lambda match: 0.95,
    ),
)
