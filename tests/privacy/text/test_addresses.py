"""Addresses: from where they begin to the last house or room, and nothing that only has numbers and 号."""

from __future__ import annotations

import pytest
from faker import Faker

from hauberk.privacy.text.detector import Detector

DETECTOR = Detector(types=frozenset({"ADDRESS"}))


def addresses(line: str) -> list[str]:
    return [one.of(line) for one in DETECTOR.find(line)]


@pytest.mark.parametrize(
    ("before", "address", "after"),
    [
        ("我住在", "浙江省杭州市西湖区文三路478号", "，欢迎来玩"),
        ("地址：", "北京市朝阳区建国门外大街1号国贸大厦A座1203室", "。"),
        ("寄到", "上海市浦东新区世纪大道100号18楼", "，张伟收"),
        ("请送到", "朝阳区建国路88号3号楼2单元501", "，谢谢"),
        ("", "四川省成都市武侯区龙湖镇张家村12号", " 王芳收"),
        ("位于", "广东省深圳市南山区科技园南路5栋3单元1801室", "的房屋"),
        ("住", "徐汇区淮海中路999弄12号602室", ""),
        ("家住", "河北省石家庄市长安区建设北大街188号5-2-301", "。"),
        ("发货到", "天河区体育东路116号财富广场东塔1802", "，谢谢"),
        ("他家在", "阳光花园12栋3单元501室", "，很近"),
        ("搬到", "武汉市洪山区珞喻路1037号华中科技大学西二区5栋302室", "去了"),
        ("户籍地址：", "湖南省长沙市岳麓区麓山南路", "。"),
        ("I live at ", "12 Main Street, Apt 4B, Springfield, IL 62704", "."),
        ("ship to ", "1600 Pennsylvania Avenue NW, Washington, DC 20500", " please"),
        ("see ", "221B Baker Street, London NW1 6XE", ", upstairs"),
    ],
)
def test_from_its_beginning_to_its_end(before: str, address: str, after: str) -> None:
    assert addresses(before + address + after) == [address]


@pytest.mark.parametrize(
    "line",
    [
        "我知道3号会到", "地铁2号线", "第13号文件", "5月18号开会", "会议在浙江省杭州市举行",
        "一层楼", "他是2号选手",
        "市场部在3楼开会", "Room 12", "In 1999 Main events changed",
    ],
)  # fmt: skip
def test_numbers_that_are_no_houses(line: str) -> None:
    assert addresses(line) == []


@pytest.mark.parametrize("locale", ["zh_CN", "en_US"])
def test_made_by_somebody_else(locale: str) -> None:
    fake = Faker(locale)
    fake.seed_instance(5)
    right = 0
    for _ in range(300):
        address = fake.address().replace("\n", ", ")
        if locale == "zh_CN":
            address = address.rsplit(" ", 1)[0]  # without the code
        right += addresses(f"地址：{address}，谢谢" if locale == "zh_CN" else f"Ship to {address}, thanks") == [
            address
        ]
    assert right >= 0.95 * 300
