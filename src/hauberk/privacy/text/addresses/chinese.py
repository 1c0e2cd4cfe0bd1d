"""Addresses as they are written in Chinese: from the province, or wherever they begin, to the room.

Each begins with a number that says which house, block or room; the text before it says where the address
begins, the text after it where it ends. Regions alone are an address where three follow each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hauberk.privacy.text.addresses.regions import REGION
from hauberk.privacy.text.finding import Finding

_HAN = "\u4e00-\u9fff"
_NUMBER = (
    r"(?:[0-9]{1,5}[A-Za-z]?(?:[-－][0-9A-Za-z]{1,5}){0,3}|[A-Za-z][0-9]{0,4}"
    r"|[一二三四五六七八九十百零〇甲乙丙丁]{1,5})"
)
_UNIT = (
    r"(?:号院|号楼|号(?![线码机令脉称召])|弄|栋|幢|座(?![位机])|单元|室|层|楼(?![盘市梯主])"
    r"|组|房(?![产东间价租贷屋子])|户(?![名口籍主])|队|支弄|门(?![口诊])|#)"
)
_BUILDING = (
    "小区|花园|公寓|大厦|大楼|广场|中心|家园|新村|新城|苑|城|园|里|府|湾|庭|轩|居|宿舍|社区"
    "|国际|商城|市场|院|阁|庄|楼|馆|厂|学校|大学|医院|科技园|创业园|工业园"
)
_ROAD = "路街道巷弄村镇里同庄区园段坊社屯组院场城寨沟坪乡县市苑厦寓湾府居轩庭阁旁侧口线"
_ANCHOR = re.compile(rf"(?<![0-9A-Za-z.第月])(?<!年 )(?P<number>{_NUMBER})(?P<unit>{_UNIT})")
_TAIL = re.compile(
    rf"(?:[ -]?(?:[{_HAN}A-Za-z]{{1,14}}?(?:{_BUILDING})(?:[东西南北][一二三四五]?[区门苑]"
    rf"|[一二三四五六七八九十]期)?)?[ ]?{_NUMBER}{_UNIT}){{0,6}}"
)
_LAST_BUILDING = re.compile(
    rf"[{_HAN}]{{2,12}}?(?:小区|花园|公寓|大厦|大楼|广场|家园|新村|商城)(?:[东西南北主副A-Z][塔座区楼])?"
    r"(?:[0-9]{1,5}(?:-[0-9]{1,5}){0,3}(?![0-9]))?"
)
_LAST_NUMBER = re.compile(
    r"[ -]?(?:[0-9]{1,5}(?:-[0-9]{1,5}){1,3}|[0-9]{2,5})(?![0-9年月日.:/％%元件个名人次])"
)
_BREAKS = re.compile(r"[，,。；;：:、“”\"'！？!?（）()<>《》【】\[\]{}|\t\n\x0b=/]")
_SPACE = re.compile(r"(?<![省市区县旗路街道镇乡村号]) | (?=[0-9]*$)")
_LEADING = re.compile(
    r".*(?:[在到至住址往从是为的了我你他她您请由送寄去回家]|于(?![洪都田])"
    r"|和(?![平县田龙顺静硕政])|位于|搬[到至])(?=[\u4e00-\u9fff])",
    re.DOTALL,
)
_REGIONAL = re.compile(r"[省市区县旗镇乡村路街巷弄胡]|大道|[东西南北中]道")
_HOME = re.compile(rf"(?:{_BUILDING})$")
_NO_ROADS = re.compile(
    r"(?:知道|报道|频道|渠道|味道|通道|轨道|管道|地道|上市|超市|门市|城市|市区|地区|小区|片区"
    r"|农村|在路|一路|线路)$"
)
_LABEL = r"(?:住址|地址|户籍地?|籍贯|居住地|现住地?|住所地?|出生地|户籍所在地)[\"']?[:：是为在于 ]{0,3}[\"']?"
_LEVEL = rf"[{_HAN}]{{1,9}}?(?:省|自治区|市|自治州|地区|盟|区|县|旗)"
_LOWER = rf"[{_HAN}]{{1,9}}?(?:街道|镇|乡|村|社区|路|大街|街|大道|巷|胡同|小区|花园|家园|苑)"
_REGIONS = re.compile(rf"(?:{_LABEL})(?P<labelled>{_LEVEL}{_LEVEL}(?:{_LEVEL})?(?:{_LOWER}){{0,4}})")
_BELOW_REGION = re.compile(
    rf"(?:[{_HAN}]{{1,6}}?(?:市|自治州|区|县|旗))?[{_HAN}]{{1,6}}?(?:市|区|县|旗)(?:{_LOWER}){{1,4}}"
)
_WINDOW = 48


class ChineseAddresses:
    """Looks at the numbers of houses first: most lines have none."""

    type = "ADDRESS"

    def find(self, text: str) -> Iterator[Finding]:
        done = 0
        for anchor in _ANCHOR.finditer(text):
            if anchor.start() < done:
                continue
            start = _begin(text, max(done, anchor.start() - _WINDOW), anchor)
            if start is not None:
                done = _end(text, anchor)
                yield Finding(start, done, self.type, 0.9)
        for match in _REGIONS.finditer(text):
            yield Finding(match.start("labelled"), match.end("labelled"), self.type, 0.75)
        for region in REGION.finditer(text):
            if region[0].endswith(("省", "市", "自治区")):
                below = _BELOW_REGION.match(text, region.end(), region.end() + 40)
                if below:
                    yield Finding(region.start(), below.end(), self.type, 0.75)


def _begin(text: str, earliest: int, anchor: re.Match[str]) -> int | None:
    """Where the address begins that a house's number stands in; None where it is no address."""
    window = text[earliest : anchor.start()]
    window = window[_last(_BREAKS, window) :]
    window = window[_last(_SPACE, window) :]
    if len(window.strip()) < 2:
        return None
    region = REGION.search(window)
    if region:
        before = window[: region.start()]
        if not _REGIONAL.search(before):
            return anchor.start() - len(window) + region.start()
    first = _REGIONAL.search(window)
    lead = _LEADING.match(window[: first.start() + 1] if first else window)
    window = window[lead.end() :] if lead else window
    if not _is_place(window.rstrip(), anchor["unit"]):
        return None
    return anchor.start() - len(window)


def _last(pattern: re.Pattern[str], window: str) -> int:
    end = 0
    for match in pattern.finditer(window):
        end = match.end()
    return end


def _is_place(window: str, unit: str) -> bool:
    """Whether a number after these words is a house's."""
    if len(window) < 2 or _NO_ROADS.search(window):
        return False
    if unit.startswith(("号", "弄", "#")) or unit in ("组", "队", "门"):
        return window[-1] in _ROAD and not window[-1].isascii()
    return bool(_HOME.search(window)) and (
        unit in ("栋", "幢", "单元", "室", "座") or bool(_REGIONAL.search(window[:-1]))
    )


def _end(text: str, anchor: re.Match[str]) -> int:
    """Past the last house or room number, or the building's name after it."""
    tail = _TAIL.match(text, anchor.end(), anchor.end() + 80)
    end = tail.end() if tail else anchor.end()
    number = _LAST_NUMBER.match(text, end, end + 20) if text[end - 1] in "楼栋幢元座号院室层弄" else None
    if (
        number
        and not text[number.end() : number.end() + 1].isdigit()
        and (text[end] != " " or text[end - 1] in "栋幢元座")
    ):
        return number.end()
    building = _LAST_BUILDING.match(text, end, end + 24)
    return building.end() if building else end
