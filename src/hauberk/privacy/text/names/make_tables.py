"""Makes the tables of this folder again, from lists that others publish: ``python -m … jieba names-folder``.

Words and their use come from the word list of jieba (MIT); what characters given names are made of, from the
names in it and from the given names below; English names, from the counts of the 1990 census of the United
States, which are in the public domain. None of it is needed where the tables are used.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

Spelt = Callable[[str], int]  # how little the last two characters look like a given name

_HERE = Path(__file__).parent / "tables"
_HAN = re.compile(r"[\u4e00-\u9fff]+")
_SMALLEST_USE = 10
_SMALLEST_USE_AFTER_SURNAME = 3  # rare words that begin as a name does are those that would be taken for one
_WORD_USE_OF_TODAY = 1500
_SURNAME_IS_NO_WORD = 30  # a surname's own use is in names, but for so small a share
_NEW_GIVEN_WEIGHT = 25
_COMMON = 1.7  # a surname's share, in thousandths
_RARE = 100
_LIKE_A_NAME = 145
_SEEN_OFTEN = 3  # given names as a whole
_PLACES = frozenset("村庄屯县镇乡坝湾坡桥店区市省州路街巷寺庙山河湖海岛港站寨堡沟江国里元一分年月日生人子机学")
_NAMES_NOT_WORDS = ("周恩来", "刘澜涛", "周星驰", "唐海", "邓丽君", "林青霞", "王海")

# Tagged as names in the list and yet words.
_WORDS_NOT_NAMES = (
    "武功 文明 王朝 陆军 雷达 黄石 武林 胡同 顾问 王爷 王公 白雪 高峰 文武 石英 金殿 高潮 顾客 胡子 王府 叶子 谢谢 "
    "白领 康复 孙子 范畴 周转 陈述 马匹 王子 林立 秦岭 白宫 马来 金刚 高僧 许可 朱红 魏晋 秦汉 杜绝 白莲 石狮 白石 "
    "钟祥 高陵 史诗 谢恩 白白 王八 胡闹 马克 高悬 马背 乔木 毛巾 马刺 白布 张开 金石 周密 陈设 马夫 高薪 黄龙 石林 "
    "金陵 白发 金黄 林子 林木 杨柳 胡涂 石柱 杜鹃 张贴 周旋 田园 白云 黄帝 孔雀 高耸 秦王 王宫 龙王 杜仲 史实 朱砂 "
    "张嘴 张口 田野 李子 熊掌 万世 钱财 雷声 卢布 白银 陈旧 高昂 孔道 金光 顾忌 高超 龙宫 胡椒 张罗 徐徐 高雅 高坡 "
    "胡风 常青 白旗 戴尔 金山 熊猫 钟声 胡人 乔治 马道 汪洋 任凭 张扬 高喊 周全 毛发 沉思 白昼 罗汉 王侯 王道 张望 "
    "雷霆 易经 许诺 许昌 王妃 白痴 史前 王后 罗斯 马鞭 高丽 王权 阎王 孙女 黄牛 马鞍 于今 石阶 马赛 唐诗 马刀 周详 "
    "田赋 雷雨 熊熊 苏醒 白玉 金秋 孔庙 宋元 朱雀 马虎 宋体 罗盘 康宁 高通 王族 白羊 梁柱 钟楼 钱粮 马尾 毛驴 文雅 "
    "黄蜂 方正 龙凤 余姚 白杨 唐人 丁香 段子 何曾 武斗 雷鸣 黄榜 杨树 孔径 史官 宋史 叶柄 钟山 高阁 周折 常胜 白鹤 "
    "马儿 侯爵 黄铜 毛竹 金昌 何谓 马屁 陈年 钟爱 贺喜 白光 高盛 龙虾 周庄 白净 易懂 雷同 马达 宋词 范文 黄泉 张北 "
    "钱庄 王法 白虎 石洞 马驹 万幸 胡琴 陆丰 白刃 阎罗 贺卡 白皙 金沙 王冠 汤圆 白米 胡吹 胡桃 曾孙 毛利 杜撰 田庄 "
    "顾盼 谢幕 武夫 孙儿 林荫 张狂 杨梅 王储 白吃 马棚 刘海 高攀 吕梁 唐突 胡麻 高塔 黎民 马甲 白兔 白塔 易燃 汤水 "
    "龙虎 易怒 白熊 胡言 贺信 曾祖 高清 余杭 白铜 常客 白送 邵阳 高阶 武生 叶脉 陈腐 石屏 罗致 谢世 余裕 贺礼 黄芩 "
    "王座 万贯 余晖 田螺 贺词 高朗 马帮 熊胆 余光 易帜 张量 黄梅 余弦 高扬 黄莺 黄鹤 康庄 徐行 余波 小姐 和尚 太后 "
    "卫星 荣誉 道德 阳光 宫殿 光荣 明星 权威 师傅 师兄 侍卫 帝王 封锁 宣言 言语 古老 明白 丘陵 二人 令人 冷笑 玉米"
).split()

# Given names of today, which the list of 2013 has few of.
_NEW_GIVEN = (
    "梓涵 子涵 欣怡 雨桐 一诺 浩宇 浩然 宇轩 子轩 梓轩 诗涵 雨欣 思远 俊杰 志远 晓明 晓东 晓燕 晓红 晓峰 建国 建华 建军 建平 "
    "志强 志明 志刚 志勇 国强 国华 国庆 海燕 海涛 海峰 文静 文博 文杰 文斌 丽华 丽娜 丽娟 丽丽 秀英 秀兰 秀珍 桂英 桂兰 玉兰 玉梅 "
    "淑芬 淑珍 淑华 美玲 美丽 婷婷 佳琪 佳怡 佳慧 嘉欣 嘉怡 思琪 思雨 梦琪 梦洁 雅婷 雅琴 雪梅 雪莹 晨曦 子墨 梓萱 若曦 可欣 "
    "雨涵 语嫣 沐辰 奕辰 奕辰 睿泽 泽宇 昊天 天宇 宇航 宇飞 一鸣 一凡 立群 立新 永强 永康 永刚 春梅 春燕 冬梅 红梅 红霞 小红 小明 "
    "小军 小龙 小燕 小兰 大伟 伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 超 霞 明 刚 平 辉 鹏 华 飞 鑫 波 斌 宇 浩 凯 健 "
    "俊 帆 帅 旭 宁 龙 林 欢 佳 阳 亮 成 建 峰 晨 瑞 兵 雷 东 博 彬 坤 岩 文 利 楠 燕 玲 丹 萍 红 英 梅 莉 婷 晶 颖 雪 慧 倩 琴 "
    "洁 云 莹 琳 欣 瑜 璐 蕾 薇 菲 萱 悦 怡 瑶 琪 妍 婧 媛 岚 涵 轩 睿 泽 昊 晗 诺 彤 然 越 洲 捷 翔 毅 恒 晖 翰 哲 逸 舟 川 锋 晓 "
    "皓 炜 昕 祺 骏 楷 梁 诚 策 朗 煜 烨 铭 锐 航 远 睿智 嘉豪 家豪 家辉 家欣 俊熙 俊豪 明轩 明哲 明辉 光明 光辉 爱国 爱华 爱民 "
    "新华 新宇 德华 德明 学友 学文 富城 城武 子怡 冰冰 志玲 依林 雨绮 晓彤 晓雯 晓琳 晓丽 晓敏 晓刚 雯雯 菲菲 莎莎 倩倩 娜娜 露露 圆圆 "
    "慧敏 慧珍 慧玲 静怡 静雯 静茹 诗雨 诗琪 天佑 天翔 振华 振国 振宇 宏伟 宏伟 宏图 伟明 伟强 伟杰 伟东 少华 少峰 世杰 世豪 鸿飞 鹏飞 "
    "鹏程 云飞 凤英 凤兰 凤霞 金凤 金花 银花 月华 月娥 彩霞 翠兰 翠花 素芬 素珍 惠芳 惠敏 惠玲 小芳 小丽 小华 小平 小波 小强 小刚 小雨 小婷 三 四 五 六 七 八"
).split()


# Words that people are called by.
_WORDS_AS_GIVEN = (
    "胜利 成功 和平 建国 建设 光荣 光明 文明 卫星 红旗 向前 前进 进步 友谊 团结 解放 跃进 援朝 国庆 元旦 立春 冬至 长城 长江 黄河 泰山 "
    "高山 高峰 高远 清泉 清源 明月 明星 明亮 晴天 朝阳 向阳 阳光 春天 春光 秋实 白雪 冰雪 如意 吉祥 平安 安宁 安康 安然 健康 幸福 快乐 开心 "
    "满意 美丽 聪明 智慧 勇敢 坚强 坚定 诚实 忠诚 忠实 正直 公正 公平 自强 自立 独立 永远 永恒 未来 希望 理想 梦想 远方 远航 领航 启航 天空 大海 "
    "大江 大山 海洋 江山 江河 山河 万里 千里 长征 长河 长工 太行 秋菊 牡丹 芙蓉 玫瑰 百合 海棠 茉莉 水仙 黎明 天明 晨光 曙光 星星 月亮 太阳 思想 思念 "
    "方圆 方舟 方正 大方 大为 大同 大力 有才 有志 有为 得志 得利 发财 来福 进财 招财 宝贝 宝玉 珍珠 翡翠 忠和 可心 可可 乐天 明远 学海 学习 学文 学武 "
    "卫东 卫国 卫民 爱国 爱民 爱军 拥军 为民 为国 振兴 兴旺 兴隆 富强 富贵 长寿 长青 长春 常青 万年 万春 东方 东海 东升 南山 西山 北辰 中华 中国 新中 新民 新生 "
    "家家 家乐 家宝 来宝 得宝 天宝 天赐 天成 自然 自在 如一 一心 一诺 一帆 一凡 一鸣 守信 守义 守业 克勤 克俭 克强 怀瑾 景行 书香 文化 文章 文才 诗意 诗诗 画画"
).split()


def _cost(count: float, total: float) -> int:
    """Minus the natural logarithm of the share, in tenths."""
    return round(-10 * math.log(count / total))


def _surnames() -> dict[str, float]:
    lines = (_HERE / "surnames_zh.txt").read_text("utf-8").splitlines()
    return {one: float(line.split()[0]) for line in lines if line[0] != "#" for one in line.split()[1:]}


def _is_word(word: str, use: int, tag: str, surnames: dict[str, float], spelt: Spelt) -> bool:
    if word in _WORDS_NOT_NAMES:
        return True
    begins = word[0] in surnames
    if word in _NAMES_NOT_WORDS or (
        len(word) == 3
        and surnames.get(word[0], 0) >= _COMMON
        and word[-1] not in _PLACES
        and use < _RARE
        and spelt(word) < _LIKE_A_NAME
    ):
        return False
    if tag == "nrt" and len(word) > 2:
        return True  # transliterated: no Chinese name, though it may begin as one
    if tag.startswith("nr"):
        least = _RARE if not begins else _RARE // 3 if surnames[word[0]] < _COMMON else math.inf
        return len(word) == 2 and use >= least
    return use >= (_SMALLEST_USE_AFTER_SURNAME if begins and len(word) < 4 else _SMALLEST_USE)


def words(listed: list[tuple[str, int, str]], surnames: dict[str, float], spelt: Spelt) -> str:
    """Lines of a cost and the words that have it."""
    uses = {
        word: use for word, use, tag in listed if len(word) <= 4 and _is_word(word, use, tag, surnames, spelt)
    }
    single = ((word, use, tag) for word, use, tag in listed if len(word) == 1)
    uses |= {word: use // _SURNAME_IS_NO_WORD if tag.startswith("nr") else use for word, use, tag in single}
    today = (_HERE / "words_more_zh.txt").read_text("utf-8").splitlines()
    for line in today:
        for word in line.split() if line[0] != "#" else ():
            uses[word] = max(uses.get(word, 0), _WORD_USE_OF_TODAY)
    total = sum(use for _, use, _ in listed)
    by_cost = defaultdict(list)
    for word in sorted(uses):
        by_cost[_cost(max(uses[word], 1), total)].append(word)
    return "".join(f"{cost} {' '.join(by_cost[cost])}\n" for cost in sorted(by_cost))


def given(listed: list[tuple[str, int, str]], surnames: dict[str, float]) -> str:
    """Lines of a character and its costs (first of two, second of two, alone), or of two and their cost."""
    first: Counter[str] = Counter()
    second: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    whole = Counter(dict.fromkeys(_WORDS_AS_GIVEN, 2 * _SEEN_OFTEN))
    for word, _, tag in listed:
        if tag == "nr" and word[0] in surnames and len(word) == 3:
            first[word[1]] += 1
            second[word[2]] += 1
            whole[word[1:]] += 1
        elif tag == "nr" and word[0] in surnames and len(word) == 2 and word not in _WORDS_NOT_NAMES:
            alone[word[1]] += 1
    for name in _NEW_GIVEN:
        if len(name) == 1:
            alone[name] += _NEW_GIVEN_WEIGHT
            first[name] += 2
            second[name] += _NEW_GIVEN_WEIGHT // 2
        else:
            first[name[0]] += _NEW_GIVEN_WEIGHT
            second[name[1]] += _NEW_GIVEN_WEIGHT
            whole[name] += _NEW_GIVEN_WEIGHT // 2
    for one in first + second:  # what stands in names of two characters can stand alone, less often
        alone[one] += (first[one] + second[one]) / 8  # type: ignore[assignment]
    places = (first, second, alone)
    totals = [sum(one.values()) for one in places]
    lines = []
    for one in sorted(alone):
        if first[one] + second[one] + alone[one] < 1:
            continue
        costs = [_cost(place[one] + 0.3, total) for place, total in zip(places, totals, strict=True)]
        lines.append(f"{one} {costs[0]} {costs[1]} {costs[2]}\n")
    lines += [
        f"{name} {_cost(count, totals[0])}\n" for name, count in sorted(whole.items()) if count >= _SEEN_OFTEN
    ]
    return "".join(lines)


def english(folder: Path) -> str:
    """Two lines: given names and surnames, most frequent first."""

    def read(name: str, most: int) -> list[str]:
        lines = (folder / name).read_text("ascii").splitlines()[:most]
        return [line.split()[0].capitalize() for line in lines]

    both = dict.fromkeys(read("dist.male.first", 1219) + read("dist.female.first", 3000))
    return f"{' '.join(both)}\n{' '.join(read('dist.all.last', 12000))}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jieba", type=Path, help="dict.txt of jieba")
    parser.add_argument(
        "census", type=Path, help="the folder with dist.all.last, dist.male.first, dist.female.first"
    )
    arguments = parser.parse_args()
    lines = (line.split() for line in arguments.jieba.read_text("utf-8").splitlines())
    listed = [(one[0], int(one[1]), one[2]) for one in lines if _HAN.fullmatch(one[0])]
    surnames = _surnames()
    table = given(listed, surnames)
    (_HERE / "given_zh.txt").write_text(table, "utf-8")
    costs = {line.split()[0]: [int(one) for one in line.split()[1:]] for line in table.splitlines()}
    rare = [_LIKE_A_NAME] * 3

    def spelt(word: str) -> int:
        return costs.get(word[1], rare)[0] + costs.get(word[2], rare)[1]

    (_HERE / "words_zh.txt").write_text(words(listed, surnames, spelt), "utf-8")
    (_HERE / "names_en.txt").write_text(english(arguments.census), "utf-8")


if __name__ == "__main__":
    main()
