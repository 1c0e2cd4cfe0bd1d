"""Texts about people who do not exist: templates of many kinds, filled with values whose places are known.

The values come from Faker and from generators that share nothing with the detector. ``first`` was looked at
while the detector was written; ``second`` and ``third`` were written when it stood, and what each showed when
it was first measured, before anything was mended, stands in ``docs/deidentification.md``.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from faker import Faker

_HERE = Path(__file__).parent
_FIELD = re.compile(r"\{([A-Z_]+)(?:\.(\w+))?\}")
_TYPES = {
    "EN_NAME": "NAME", "PINYIN": "NAME", "EN_ADDRESS": "ADDRESS", "US_PHONE": "PHONE", "AWS_KEY": "SECRET",
    "GITHUB_TOKEN": "SECRET", "PASSPORT_EN": "PASSPORT",
}  # fmt: skip
_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡"
    "贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石"
    "姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_COMPOUND = ("欧阳", "司马", "上官", "诸葛", "夏侯", "慕容", "令狐", "司徒", "皇甫", "尉迟")
_TWO = (
    "伟明建国秀英晓燕志强丽华子涵雨桐浩然欣怡梓轩佳琪文博思远海涛国庆红梅春花玉兰俊杰晓东美玲"
    "永刚振华淑珍嘉豪诗雨若曦天佑宇航静怡鹏飞雪莹凤霞德胜"
    "宝林长青金生立新卫东克勤守义明远清源景行怀瑾书瑶亦菲一鸣乐天安然可心向阳高远和平成功胜利爱民学军新民家乐"
)
_ONE = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛超霞明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁龙林欢佳阳亮成建"
    "峰晨瑞博彬坤文利楠燕玲丹萍红英梅莉婷晶颖雪慧倩琴洁云莹琳欣瑜璐"
)
_DISTRICTS = (
    "北京市朝阳区", "北京市海淀区", "上海市浦东新区", "上海市徐汇区", "浙江省杭州市西湖区",
    "广东省深圳市南山区",
    "江苏省苏州市工业园区", "四川省成都市武侯区", "湖北省武汉市洪山区", "广州市天河区", "杭州市余杭区",
    "陕西省西安市雁塔区", "河南省郑州市金水区",
)  # fmt: skip
_ROADS = (
    "中山路", "人民路", "解放大道", "文三路", "建国门外大街", "长安街", "天河北路", "科技园南路", "淮海中路",
    "延安西路", "五一大道", "金融街", "滨江大道",
)  # fmt: skip
_BUILDINGS = ("阳光花园", "国际大厦", "锦绣家园", "万科城市花园", "科技大厦")
_PINYIN = ("Zhang Wei", "Li Xiaoming", "Wang Jianguo", "Chen Yutong", "Liu Yang", "Zhao Lihua")


class Filled(NamedTuple):
    """A line, and ``(start, end, type)`` of each value in it."""

    line: str
    places: tuple[tuple[int, int, str], ...]


class Filler:
    """Draws values; the same seed gives the same texts."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311  # texts, not secrets
        self._zh, self._en, self._de = Faker("zh_CN"), Faker("en_US"), Faker("de_DE")
        for place, one in enumerate((self._zh, self._en, self._de)):
            one.seed_instance(seed + place)

    def fill(self, template: str) -> Filled:
        """A line with a new value in each field."""
        line, places, at = "", [], 0
        for field in _FIELD.finditer(template):
            line += template[at : field.start()]
            value = self._value(field[1], field[2])
            places.append((len(line), len(line) + len(value), _TYPES.get(field[1], field[1])))
            line, at = line + value, field.end()
        return Filled(line + template[at:], tuple(places))

    def _value(self, kind: str, part: str | None) -> str:
        if kind == "NAME":
            name = self._name()
            return name[0] if part else name
        if kind == "EN_NAME":
            return self._english(part)
        made: Callable[[], str] = getattr(self, f"_{kind.lower()}")
        return made()

    def _digits(self, count: int) -> str:
        return "".join(self._rng.choice("0123456789") for _ in range(count))

    def _name(self) -> str:
        rng = self._rng
        if rng.random() < 0.3:
            return str(self._zh.name())
        ranks = [1 / (place + 4) for place in range(len(_SURNAMES))]
        surname = rng.choice(_COMPOUND) if rng.random() < 0.05 else rng.choices(_SURNAMES, ranks)[0]
        if rng.random() < 0.35:
            return surname + rng.choice(_ONE)
        pairs = [_TWO[place : place + 2] for place in range(0, len(_TWO), 2)]
        if rng.random() < 0.5:
            return surname + rng.choice(pairs)
        return surname + rng.choice(pairs)[0] + rng.choice(pairs)[1]

    def _english(self, part: str | None) -> str:
        first, last = self._en.first_name(), self._en.last_name()
        if part:
            return str(first if part == "first" else last)
        middle = f" {self._rng.choice('ABCDEJKLMRST')}." if self._rng.random() < 0.1 else ""
        return f"{first}{middle} {last}"

    def _pinyin(self) -> str:
        return self._rng.choice(_PINYIN)

    def _id(self) -> str:
        region = self._rng.choice(
            ("110101", "310104", "330106", "440305", "510107", "320583", "420111", "610113")
        )
        born = date(1950, 1, 1) + timedelta(self._rng.randrange(20_000))
        first = f"{region}{born:%Y%m%d}{self._digits(3)}"
        return first + "10X98765432"[sum(int(one) * 2 ** (17 - place) for place, one in enumerate(first)) % 11]

    def _mobile(self) -> str:
        number = "1" + self._rng.choice("3456789") + self._digits(9)
        spaced = [number[:3], number[3:7], number[7:]]
        wide = number.translate({48 + digit: 0xFF10 + digit for digit in range(10)})
        forms = [f"+86 {number}", "-".join(spaced), " ".join(spaced), wide, f"+86-{number}"]
        return self._rng.choice(forms) if self._rng.random() < 0.3 else number

    def _landline(self) -> str:
        area = self._rng.choice(("010", "021", "020", "0755", "0571", "028", "0512", "0371", "0991"))
        number = self._rng.choice("2345678") + self._digits(7)
        form = self._rng.choice(("{}-{}", "({}){}", "{}{}", "{} {}", "（{}）{}"))
        return form.format(area, number) + self._rng.choice(("", "", "", "-801", "转8021"))

    def _card(self) -> str:
        first, count = self._rng.choice(
            (("622202", 12), ("621700", 12), ("622848", 12), ("4", 14), ("52", 13), ("62", 13))
        )
        digits = first + self._digits(count)
        doubled = sum(
            sum(divmod(int(one) * (1 + (place + 1) % 2), 10)) for place, one in enumerate(reversed(digits))
        )
        number = f"{digits}{-doubled % 10}"
        if len(number) == 16 and self._rng.random() < 0.2:
            return " ".join(number[place : place + 4] for place in (0, 4, 8, 12))
        return number

    def _plate(self) -> str:
        rng, letters = self._rng, "ABCDEFGHJKLMNPQRSTUVWXYZ"
        begin = rng.choice("京沪粤浙苏川鲁豫鄂湘") + rng.choice(letters[:12]) + rng.choice(("", "", "·"))
        new_energy = rng.choice("DF") + self._digits(5)
        plain = rng.choice(letters) + self._digits(4)
        mixed = self._digits(3) + rng.choice(letters) + self._digits(1)
        return begin + rng.choice((new_energy, plain, mixed))

    def _address(self) -> str:
        rng = self._rng
        if rng.random() < 0.25:
            return str(self._zh.address()).rsplit(" ", 1)[0]  # without the postal code
        if rng.random() < 0.2:
            place = rng.choice(("龙湖镇张家村", "安丰乡李庄村", "古城街道和平社区"))
            return f"{rng.choice(_DISTRICTS)}{place}{rng.randint(1, 99)}号"
        street = f"{rng.choice(_DISTRICTS)}{rng.choice(_ROADS)}{rng.randint(1, 999)}号"
        room = rng.randint(101, 2505)
        rooms = (
            f"{rng.randint(1, 30)}栋{rng.randint(1, 4)}单元{room}室",
            f"{rng.randint(1, 30)}号楼{room}",
            f"A座{room % 30 + 1}层",
        )
        return street if rng.random() < 0.4 else street + rng.choice(_BUILDINGS) + rng.choice(rooms)

    def _passport(self) -> str:
        letter = self._rng.choice("ABCDEFGH") if self._rng.random() < 0.2 else ""
        return f"E{letter}{self._digits(7)}" if letter else self._rng.choice("EG") + self._digits(8)

    def _email(self) -> str:
        return str(self._rng.choice((self._en, self._zh)).email())

    def _en_address(self) -> str:
        return str(self._en.address()).replace("\n", ", ")

    def _us_phone(self) -> str:
        form = self._rng.choice(("({}) {}-{}", "{}-{}-{}", "+1 {}-{}-{}", "{}.{}.{}"))
        return form.format(self._rng.randint(201, 989), self._rng.randint(201, 989), self._digits(4))

    def _ssn(self) -> str:
        return str(self._en.ssn())

    def _iban(self) -> str:
        return str(self._de.iban())

    def _ip(self) -> str:
        return str(self._en.ipv4_public())

    def _mac(self) -> str:
        return str(self._en.mac_address())

    def _aws_key(self) -> str:
        return "AKIA" + "".join(self._rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))

    def _github_token(self) -> str:
        return "ghp_" + "".join(self._rng.choices("abcdefghijklmnopqrstuvwxyzABCDEFGH0123456789", k=36))

    def _passport_en(self) -> str:
        return self._digits(9)


def texts(name: str, *, times: int = 20, seed: int = 7) -> list[Filled]:
    """All templates of a file such as ``third_zh``, each filled ``times`` times; without a "
    "field, a quarter of that."""
    filler = Filler(seed)
    made = []
    for template in (_HERE / f"{name}.txt").read_text("utf-8").splitlines():
        if template.startswith("# "):
            continue
        made += [filler.fill(template) for _ in range(times if "{" in template else times // 4)]
    return made
