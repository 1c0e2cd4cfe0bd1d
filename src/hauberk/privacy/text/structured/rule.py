"""A pattern and who judges its matches: how every recogniser of numbers and codes is written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hauberk.privacy.text.finding import Finding
from hauberk.privacy.text.page import before

Judge = Callable[["re.Match[str]"], float]

# What stands before numbers that look like somebody's and are not.
_OTHER_NUMBERS = re.compile(
    r"(?:订单|单号|运单|流水|批次|批号|序列号|序号|型号|货号|料号|条码|条形码|工单|编号|编码"
r"|版本|案号|文号|发动机号|"
    r"order|tracking|serial|invoice|batch|ticket|sku|model|version|case)"
    r"[号码]{0,2}[\s#]*(?:number|no\.?|num|id)?[\s#:：=是为\"']{0,4}$",
    re.IGNORECASE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """Finds one type by a pattern.

    Args:
        judge: the score of a match, 0 to refuse it.
        group: the part of the match that is the finding; with several names, the first that took part.
    """

    type: str
    pattern: re.Pattern[str]
    judge: Judge
    group: int | str = 0

    def find(self, text: str) -> Iterator[Finding]:
        for match in self.pattern.finditer(text):
            score = self.judge(match)
            if score:
                yield Finding(match.start(self.group), match.end(self.group), self.type, score)


def always(score: float) -> Judge:
    """A judge for patterns that say it all."""
    return lambda match: score


def numbered_otherwise(match: re.Match[str]) -> bool:
    """An order, a serial or another number that is nobody's stands here."""
    return _OTHER_NUMBERS.search(before(match.string, match.start(), 24)) is not None


def digits_of(text: str) -> str:
    """A number without the spaces and dashes in it."""
    return text.replace(" ", "").replace("-", "")
