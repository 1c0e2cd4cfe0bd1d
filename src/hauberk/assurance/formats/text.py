"""A verdict as lines for the terminal: what is open first, with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.finding import Finding, State, worst_first
from hauberk.assurance.text import Lang, Text
from hauberk.assurance.verdict import Verdict

WORDS = {
    "failed": Text("FAILED", "未通过"),
    "unknown": Text("UNKNOWN", "未知"),
    "waived": Text("WAIVED", "已豁免"),
    "passed": Text("passed", "通过"),
    "not-applicable": Text("not applicable", "不适用"),
    "critical": Text("critical", "严重"),
    "high": Text("high", "高"),
    "medium": Text("medium", "中"),
    "low": Text("low", "低"),
    "needed": Text("needed", "要求"),
    "gain": Text("attacker", "攻击者"),
    "fix": Text("fix", "修复"),
    "evidence": Text("evidence", "证据"),
    "subject": Text("subject", "对象"),
    "yes": Text("YES: {name} meets the policy '{policy}'", "通过：{name} 符合策略“{policy}”"),
    "no": Text("NO: {name} does not meet the policy '{policy}'", "不通过：{name} 不符合策略“{policy}”"),
    "by": Text("by {by} until {until}: {reason}", "由 {by} 豁免至 {until}：{reason}"),
    "changed": Text(
        "the target changed while it was looked at: {names}", "目标在检查过程中发生了变化：{names}"
    ),
    "refused": Text("did not count: {file}: {why}", "未计入：{file}：{why}"),
    "waiver": Text(
        "waiver {file} does not count ({standing}): {why}", "豁免 {file} 不生效（{standing}）：{why}"
    ),
    "unused": Text("unused", "未用到"),
    "expired": Text("expired", "已过期"),
    "not yet": Text("not yet", "尚未生效"),
    "too long": Text("too long", "期限过长"),
    "not believed": Text("not believed", "不可信"),
    "nothing": Text("nothing of it could be asked", "没有任何可检查的内容"),
}


_WHY_ZH = {  # a verdict keeps its reasons in English; those that its own facts give are said anew
    "unused": "没有该规则关于此摘要的未决结论",
    "expired": "已于 {until} 到期",
    "not yet": "从 {issued} 起生效",
    "too long": "从 {issued} 到 {until}，超过策略允许的 {most} 天",
}
_OPEN: tuple[State, ...] = ("failed", "unknown", "waived")


def to_text(verdict: Verdict, lang: Lang = "en", *, everything: bool = False) -> str:
    """The verdict in lines.

    Args:
        everything: also what passed or does not apply, one line each.
    """
    return "\n".join(_lines(verdict, lang, everything)) + "\n"


def _lines(verdict: Verdict, lang: Lang, everything: bool) -> Iterator[str]:
    for state in _OPEN:
        for one in worst_first(verdict.of(state)):
            yield from _open(one, lang)
    if everything:
        for one in (*verdict.of("passed"), *verdict.of("not-applicable")):
            yield f"{WORDS[one.state](lang):<14} {one.rule}  {one.subject.name}: {one.seen(lang)}"
        yield ""
    yield from _notes(verdict, lang)
    counts = verdict.counts
    yield "  ".join(f"{WORDS[state](lang)} {count}" for state, count in counts.items())
    answer = WORDS["yes" if verdict.passed else "no"]
    yield answer.format(name=verdict.target.name, policy=verdict.policy["name"])(lang)


def _open(one: Finding, lang: Lang) -> Iterator[str]:
    yield f"{WORDS[one.state](lang)} {WORDS[one.severity](lang)}  {one.rule}  {one.subject.name}"
    yield f"  {one.seen(lang)}"
    yield f"  {WORDS['needed'](lang)}: {one.needed(lang)}"
    yield f"  {WORDS['gain'](lang)}: {one.gain(lang)}"
    if one.excuse is not None:
        excuse = one.excuse
        yield "  " + WORDS["by"].format(by=excuse.by, until=excuse.until, reason=excuse.reason)(lang)
    for command in one.fix:
        yield f"  {WORDS['fix'](lang)}: {command}"
    if one.subject.digest is not None:
        yield f"  {WORDS['subject'](lang)}: {one.subject.digest}"
    for digest in one.evidence[:3]:
        yield f"  {WORDS['evidence'](lang)}: {digest}"
    yield ""


def _notes(verdict: Verdict, lang: Lang) -> Iterator[str]:
    for one in verdict.refused:
        why = Text.from_json(one["why"], where="refused")
        yield WORDS["refused"](lang).format(file=one["file"], why=why(lang))
    for one in verdict.waivers:
        if one["standing"] != "counts":
            standing = one["standing"]
            named = WORDS[standing](lang) if standing in WORDS else standing
            yield WORDS["waiver"](lang).format(file=one["file"], standing=named, why=_why(one, verdict, lang))
    if verdict.changed:
        yield WORDS["changed"](lang).format(names=", ".join(verdict.changed[:5]))
    if not verdict.of("passed") and not verdict.failing:
        yield WORDS["nothing"](lang)


def _why(waiver: Mapping[str, Any], verdict: Verdict, lang: Lang) -> str:
    """Why a waiver does not count; of one that is not believed, what the check of its signature said."""
    if lang == "zh" and waiver["standing"] in _WHY_ZH:
        return _WHY_ZH[waiver["standing"]].format(**waiver, most=verdict.policy["waivers_at_most_days"])
    return str(waiver["why"])
