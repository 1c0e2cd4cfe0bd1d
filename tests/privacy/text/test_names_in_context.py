"""Names by what stands beside them: verbs, roles, lists, other tongues, and where one of two ends is meant."""

from __future__ import annotations

import pytest

from hauberk.privacy.text.detector import Detector

DETECTOR = Detector(types=frozenset({"NAME"}))


def names(line: str) -> list[str]:
    return [one.of(line) for one in DETECTOR.find(line)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("孙琳调到总部去了", ["孙琳"]),
        ("罗敏跑到门口，谭静留下", ["罗敏", "谭静"]),
        ("请吴倩给郭勇寄一份", ["吴倩", "郭勇"]),
        ("令狐峰于2019年离职", ["令狐峰"]),
        ("陈晨明天请假", ["陈晨"]),
        ("周恩来故居今天开放", ["周恩来"]),
    ],
)
def test_a_name_ends_where_the_verb_begins(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("证人江河，男，已到庭", ["江河"]),
        ("输液由护士黄莺负责，民警康健在场", ["黄莺", "康健"]),
        ("她把钥匙交给妹妹白露，自己走了", ["白露"]),
        ("参会人员：张弛、麻利、苗圃、方圆", ["张弛", "麻利", "苗圃", "方圆"]),
        ("票数：张弛；丛林；李娜", ["张弛", "丛林", "李娜"]),
    ],
)
def test_roles_and_lists_tell_names_that_are_words(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("门将凯莱赫扑出点球，维尼修斯低头离场", ["凯莱赫", "维尼修斯"]),
        ("德国总理默克尔会见了普京", ["默克尔", "普京"]),
        ("佐藤健一和铃木奈美是同事", ["佐藤健一", "铃木奈美"]),
        ("牧民巴特尔把羊卖给了艾合买提", ["巴特尔", "艾合买提"]),
        ("歌手埃马纽埃尔·莫罗抵沪", ["埃马纽埃尔·莫罗"]),
    ],
)
def test_names_of_other_tongues(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("代表团顾问亚历山大·沃尔科夫未到场", ["亚历山大·沃尔科夫"]),
        ("申请人侯赛因·阿不都的材料已补齐", ["侯赛因·阿不都"]),
        ("请吐尔逊·艾合买提明天来取证", ["吐尔逊·艾合买提"]),
        ("乔治·布朗和玛丽·史密斯共同署名", ["乔治·布朗", "玛丽·史密斯"]),
        (
            "译者让-保罗·莫罗、作者弗拉基米尔·彼得罗维奇·索科洛夫",
            ["让-保罗·莫罗", "弗拉基米尔·彼得罗维奇·索科洛夫"],
        ),
    ],
)
def test_a_dot_tells_a_name_and_words_where_it_ends(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize("line", ["北京·朝阳区", "第一章·序言", "春·夏·秋·冬", "会议室·三楼", "新品·男装"])
def test_a_dot_between_words_is_no_name(line: str) -> None:
    assert names(line) == []


def test_given_names_alone() -> None:
    assert names("让志强来一趟，丽娜已经在等了") == ["志强", "丽娜"]
    assert names("永胜村和建国路都在修") == []


@pytest.mark.parametrize(
    "line",
    [
        "客户成功团队，患者安全，员工成长，业主关系",
        "被告应当到庭，原告方认为金额有误，司机应礼让行人",
        "预算、方案、金额、时间",
        "头孢曲松、左氧氟沙星、阿莫西林各一盒",
        "黄焖鸡、石锅拌饭、胡辣汤、毛血旺",
        "从阿尔及利亚飞往土库曼斯坦，再到凯莱赫市",
        "500余人参加，借款伍万元整",
        "上周金价上涨，本周白银下跌",
    ],
)
def test_words_beside_roles_goods_places_and_numbers_are_left(line: str) -> None:
    assert names(line) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("According to Fitzgerald, the lease was signed.", ["Fitzgerald"]),
        ("The driver Chukwuemeka Okonkwo was not hurt.", ["Chukwuemeka Okonkwo"]),
        ("Examiners: J. R. Hartley and P. Osei", ["J. R. Hartley", "P. Osei"]),
        ("see Lindqvist, K. for details", ["Lindqvist, K."]),
        ("Surgeon: Solveig Halvorsen. Next of kin: Temuujin", ["Solveig Halvorsen", "Temuujin"]),
        ("Kovalenko resigned; Zeynep and Saoirse stayed.", ["Kovalenko", "Zeynep", "Saoirse"]),
        ("Referred by Lisa Kim, M.D., to surgery.", ["Lisa Kim"]),
    ],
)
def test_english_roles_initials_and_surnames(line: str, expected: list[str]) -> None:
    assert names(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Georgia voted early, Sydney hosted the final.",
        "Boeing said that Disney announced a merger.",
        "The Lincoln Tunnel and the Whitney Gallery are closed.",
        "Caller: Hi, is this the pharmacy? Owner: TBD",
        "Plan B. Next steps follow.",
    ],
)
def test_english_places_firms_and_answers_are_left(line: str) -> None:
    assert names(line) == []
