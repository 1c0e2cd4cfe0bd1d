"""Data that lie about, promises about them, and whether what is lost comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.names import OPERATIONS, PERSONAL, STORED
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import age_days, held, percent, quoted, say
from hauberk.assurance.target import Target
from hauberk.assurance.text import Text, many

_SHOWN = 5
_PERIODS = {"hourly": 1 / 24, "daily": 1, "weekly": 7, "monthly": 30, "yearly": 365}


def encrypted(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    if target.vault is not None:
        vault = target.vault
        fix = f"hauberk vault doctor --vault {quoted(vault.place)}"
        if vault.encrypted is None:
            seen = Text("the vault's artifacts could not be looked at", "无法查看保管库的内容")
            yield say("unknown", vault.subject, seen, fix=(fix,))
        elif vault.encrypted:
            yield say("passed", vault.subject, Text("all artifacts are encrypted", "所有内容均已加密"))
        else:
            seen = Text("artifacts are missing, or lie there in the clear", "有内容缺失或明文存放")
            yield say("failed", vault.subject, seen, fix=(fix,))
    if not target.data:
        return
    plain = [one.file for one in target.data if not one.encrypted]
    share = 1 - len(plain) / len(target.data)
    needed = Text(
        f"at least {percent(settings['share'])} of data files encrypted",
        f"至少 {percent(settings['share'])} 的数据文件已加密",
    )
    seen = Text(
        f"{percent(share)} of {len(target.data)}"
        + (f"; in the clear: {', '.join(plain[:_SHOWN])}" if plain else ""),
        f"{len(target.data)} 个中 {percent(share)} 已加密"
        + (f"；明文：{', '.join(plain[:_SHOWN])}" if plain else ""),
    )
    seals = tuple(
        f"hauberk data seal {quoted(one)} --recipient keys/me.pub --out {quoted(one + '.sealed')}"
        for one in plain[:_SHOWN]
    )
    state = held(share >= settings["share"])
    yield say(state, target.subject, seen, needed, fix=seals, share=share, plain=plain)


def budgets(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for one in target.budgets:
        needed = Text(
            f"a budget of at most {settings['epsilon']:g}, of which at most {percent(settings['spent'])} "
            "is spent",
            f"预算不超过 {settings['epsilon']:g}，且已用不超过 {percent(settings['spent'])}",
        )
        if one.why:
            yield say(
                "unknown", one.subject, Text(f"it cannot be read: {one.why}", f"无法读取：{one.why}"), needed
            )
            continue
        share = one.spent / one.epsilon if one.epsilon else 1.0
        seen = Text(
            f"epsilon {one.epsilon:.3g} given, {percent(share)} of it spent",
            f"给定 ε {one.epsilon:.3g}，已用 {percent(share)}",
        )
        good = one.epsilon <= settings["epsilon"] and share <= settings["spent"]
        yield say(held(good), one.subject, seen, needed, epsilon=one.epsilon, spent=one.spent)


def drill(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    needed = Text(
        f"a restored and verified backup in the last {many(settings['days'], 'day')}",
        f"最近 {settings['days']} 天内恢复并验证过备份",
    )
    fix = "hauberk backup drill --from REPO --password-file FILE --identity KEY"
    if not vault.drills:
        seen = Text("no backup was ever tried", "从未演练过备份")
        yield say("unknown", vault.subject, seen, needed, fix=(fix,))
        return
    one = vault.drills[0]
    days = age_days(one.created, target.at)
    passed = one.result.get("passed") is True
    reason = one.result.get("reason")
    seen = Text(
        f"the last drill, {many(days, 'day')} ago, " + ("passed" if passed else f"did not pass: {reason}"),
        f"最近一次演练在 {days:.0f} 天前，" + ("已通过" if passed else f"未通过：{reason}"),
    )
    yield say(
        held(passed and days <= settings["days"]), vault.subject, seen, needed, evidence=(one,), fix=(fix,),
        days=round(days, 2), passed=passed,
    )  # fmt: skip


def retention(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    vault = target.vault
    if vault is None:
        return
    needed = Text(
        f"backups that reach back {many(settings['days'], 'day')}", f"备份可追溯 {settings['days']} 天"
    )
    fix = (
        f"hauberk backup schedule --vault {quoted(vault.place)} --to REPO --password-file FILE "
        "--recipient KEY.pub --keep-daily 7 --keep-monthly 12 --out units"
    )
    if not vault.keep:
        seen = Text("no schedule of backups was found for it", "未找到其备份计划")
        again = f"hauberk audit {quoted(vault.place)} --schedule units"
        yield say("unknown", vault.subject, seen, needed, fix=(fix, again))
        return
    reach = _reach(vault.keep)
    seen = Text(f"{vault.keep}: {many(reach, 'day')}", f"{vault.keep}：{reach:.0f} 天")
    yield say(held(reach >= settings["days"]), vault.subject, seen, needed, fix=(fix,), days=reach)


def _reach(keep: str) -> float:
    """How many days back the oldest backup lies that is kept, from options such as ``--keep-daily 7``."""
    words = keep.split()
    kept = dict(zip(words[::2], words[1::2], strict=False))
    return max(
        (_PERIODS.get(name.removeprefix("--keep-"), 0) * int(count) for name, count in kept.items()),
        default=0.0,
    )


RULES = (
    Rule(
        id="data.encrypted",
        title=Text("learning data lie encrypted", "学习数据加密存放"),
        explanation=Text(
            "Tables, images and texts in the folder, by their names and first bytes; in a vault, its "
            "artifacts.",
            "按文件名和首部字节检查文件夹中的表格、图像与文本；保管库则检查其内容。",
        ),
        gain=Text("takes the data from a disk, a backup or a laptop", "从磁盘、备份或笔记本电脑取走数据"),
        severity="medium",
        names=STORED,
        check=encrypted,
        parameters=(
            Parameter(
                name="share",
                unit="share",
                title=Text("least share of encrypted files", "已加密文件的最低比例"),
                values={"low": 0.0, "standard": 1.0, "high": 1.0},
                interval="[0, 1]",
            ),
        ),
        since="standard",
    ),
    Rule(
        id="data.budgets",
        title=Text("privacy budgets are small and not spent", "隐私预算小且未用尽"),
        explanation=Text(
            "A budget bounds what all answers together tell about one person. A large one promises "
            "nothing, and a spent one "
            "tempts somebody to begin anew.",
            "预算限制所有回答合起来泄露的个人信息。过大的预算等于没有承诺，用尽的预算则诱使人重新开始。",
        ),
        gain=Text(
            "puts many harmless answers together, and reads one person's row",
            "将许多看似无害的回答拼合，读出某人的记录",
        ),
        severity="medium",
        names=PERSONAL,
        check=budgets,
        parameters=(
            Parameter(
                name="epsilon",
                unit="",
                title=Text("largest budget", "最大预算"),
                values={"low": 10.0, "standard": 8.0, "high": 3.0},
                interval="(0, 20]",
            ),
            Parameter(
                name="spent",
                unit="share",
                title=Text("most of it that is spent", "最多已用比例"),
                values={"low": 1.0, "standard": 1.0, "high": 0.9},
                interval="[0, 1]",
            ),
        ),
    ),
    Rule(
        id="operations.backup-drill",
        title=Text("a backup was restored lately", "近期恢复过备份"),
        explanation=Text(
            "Nothing shows that a backup is one but restoring it. A drill puts it in an empty place and "
            "compares every byte.",
            "只有恢复才能证明备份有效。演练将备份恢复到空处并逐字节比对。",
        ),
        gain=Text("destroys or encrypts the vault, and nothing comes back", "毁坏或加密保管库而无法恢复"),
        severity="medium",
        names=OPERATIONS,
        check=drill,
        parameters=(
            Parameter(
                name="days",
                unit="days",
                title=Text("longest since the last drill", "距上次演练的最长时间"),
                values={"low": 180, "standard": 92, "high": 31},
                interval="[0, 3650]",
            ),
        ),
        since="standard",
    ),
    Rule(
        id="operations.retention",
        title=Text("backups reach back far enough", "备份可追溯足够久"),
        explanation=Text(
            "Who changes a model unnoticed waits until the last good backup is gone. What the schedule "
            "keeps stands in the "
            "files that hauberk backup schedule wrote.",
            "悄悄篡改模型者会等到最后一个完好的备份消失。保留多少以 hauberk backup schedule 写出的文件为准。",
        ),
        gain=Text("waits until every backup holds his model", "等到所有备份都是他的模型"),
        severity="low",
        names=OPERATIONS,
        check=retention,
        parameters=(
            Parameter(
                name="days",
                unit="days",
                title=Text("how far back the oldest must lie", "最旧备份须追溯的天数"),
                values={"low": 7, "standard": 30, "high": 180},
                interval="[0, 36500]",
            ),
        ),
        since="standard",
    ),
)
