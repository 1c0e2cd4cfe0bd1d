"""What a model, or a published table or text, gives away about the people in the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.finding import Subject
from hauberk.assurance.names import MEMBERSHIP, PERSONAL
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import (
    believable,
    data_of,
    held,
    interval,
    mend,
    number,
    percent,
    say,
    where,
)
from hauberk.assurance.target import Model, Target
from hauberk.assurance.text import Text, many
from hauberk.core.evidence import Evidence


def membership(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        found = [one for one in model.of("membership") if one.result.get("attacks")]
        most, rate = settings["advantage"], settings["tpr"]
        needed = Text(
            f"an advantage of at most {percent(most)}, and at most {percent(rate)} of members found at one "
            "false "
            "alarm in a hundred",
            f"攻击优势不超过 {percent(most)}，误报率 1% 时找出的成员不超过 {percent(rate)}",
        )
        fix = f"hauberk infer {where(model)} --data {data_of(model)}"
        if not found:
            seen = Text("nobody tried to find its training data", "没有人尝试过推断其训练成员")
            yield say("unknown", model.subject, seen, needed, fix=mend(model, fix))
            continue
        # every attack that was tried counts, and the one that found most decides
        advantage = max(_largest(each, "advantage") for each in found)
        tpr = max(_largest(each, "tpr_at_0.01") for each in found)
        seen = Text(
            f"the best attack has an advantage of {percent(advantage)} and finds {percent(tpr)} of members",
            f"最强攻击的优势为 {percent(advantage)}，找出 {percent(tpr)} 的成员",
        )
        private = f"hauberk train --data {data_of(model)} --private --epsilon 3 --out PRIVATE"
        yield say(
            held(advantage <= most and tpr <= rate), model.subject, seen, needed, evidence=tuple(found),
            fix=mend(model, private), advantage=advantage, most=most, tpr=tpr,
        )  # fmt: skip


def _largest(one: Evidence, name: str) -> float:
    return max((number(each, name) or 0.0 for each in one.result["attacks"]), default=0.0)


def epsilon(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        trained = [one for one in model.born if isinstance(one.result.get("privacy"), dict)]
        most = settings["epsilon"]
        needed = Text(
            f"trained with a promised epsilon of at most {most:g}, and an audit that finds no more",
            f"训练承诺的 ε 不超过 {most:g}，且审计未发现超出",
        )
        fix = f"hauberk train --data {data_of(model)} --private --epsilon {most:g} --out PRIVATE"
        if not trained:
            if settings["required"]:
                seen = Text("it was not trained with differential privacy", "未采用差分隐私训练")
                yield say("failed", model.subject, seen, needed, fix=mend(model, fix))
            continue
        claimed = number(trained[-1].result["privacy"], "epsilon")
        real = trained[-1].result["privacy"].get("noise") != "for tests"
        audits = [one for one in _audits(model) if isinstance(one.result.get("holds"), bool)]
        seen, holds, evidence = _epsilon_seen(claimed, real, audits)
        state = "unknown" if holds is None else held(holds and claimed is not None and claimed <= most)
        yield say(
            state, model.subject, seen, needed, evidence=(trained[-1], *evidence), fix=mend(model, fix),
            claimed=claimed, most=most,
        )  # fmt: skip


def _audits(model: Model) -> tuple[Evidence, ...]:
    """Audits of the model itself, or of its training, which they name as parent."""
    return model.of("privacy-audit") + tuple(one for one in model.related if one.kind == "privacy-audit")


def _epsilon_seen(
    claimed: float | None, real: bool, audits: list[Evidence]
) -> tuple[Text, bool | None, tuple[Evidence, ...]]:
    if claimed is None or not real:
        return (
            Text("its noise was made for tests, so nothing is private", "其噪声仅供测试，并无隐私保护"),
            False,
            (),
        )
    if not audits:
        seen = Text(
            f"epsilon {claimed:.3g} is claimed, and nobody audited it", f"声称 ε 为 {claimed:.3g}，但无人审计"
        )
        return seen, None, ()
    bound = max(number(one.result, "lower_bound") or 0.0 for one in audits)
    holds = all(one.result["holds"] for one in audits)
    seen = Text(
        f"epsilon {claimed:.3g} is claimed; canaries show at least {bound:.3g}",
        f"声称 ε 为 {claimed:.3g}；探针表明至少为 {bound:.3g}",
    )
    return seen, holds, tuple(audits)


def deidentified(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for one in target.of("deidentification"):
        leak = one.result.get("leak")
        most = settings["left"]
        needed = Text(
            f"a second detector that still finds something in at most {percent(most)} of the records",
            f"第二检测器仍能发现信息的记录不超过 {percent(most)}",
        )
        subject = _data(one)
        found = interval(leak, "left_interval") if isinstance(leak, dict) else None
        fix = "hauberk data deidentify DATA --out TREATED"
        if not isinstance(leak, dict) or found is None or not number(leak, "looked"):
            seen = Text("nobody looked at what came out", "没有人检查过处理结果")
            yield say("unknown", subject, seen, needed, evidence=(one,), fix=(fix,))
            continue
        share = number(leak, "left_share") or 0.0
        seen = Text(
            f"something is left in {percent(share)} of {leak['looked']} records (at most "
            f"{percent(found[1])} with "
            "95 % confidence)",
            f"{leak['looked']} 条记录中 {percent(share)} 仍有残留（95% 置信上限 {percent(found[1])}）",
        )
        yield say(
            held(found[1] <= most), subject, seen, needed, evidence=(one,), fix=(fix,),
            share=share, high=found[1], most=most,
        )  # fmt: skip


def anonymous(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for one in target.of("anonymization"):
        needed = Text(
            f"groups of at least {settings['k']}, and a highest risk of {percent(settings['risk'])}",
            f"每组至少 {settings['k']} 人，最高风险不超过 {percent(settings['risk'])}",
        )
        k = number(one.result, "after", "k")
        risk = number(one.result, "risk", "prosecutor", "highest")
        fix = f"hauberk data anonymize TABLE --k {settings['k']} --out RELEASE"
        if k is None or risk is None:
            seen = Text("its record says nothing of groups and risk", "记录未说明分组与风险")
            yield say("unknown", _data(one), seen, needed, evidence=(one,), fix=(fix,))
            continue
        seen = Text(
            f"the smallest group has {many(k, 'person', 'people')}, the highest risk of one is {percent(risk)}",
            f"最小的组有 {k:.0f} 人，个人最高风险为 {percent(risk)}",
        )
        yield say(
            held(k >= settings["k"] and risk <= settings["risk"]), _data(one), seen, needed, evidence=(one,),
            fix=(fix,), k=k, risk=risk,
        )  # fmt: skip


def _data(one: Evidence) -> Subject:
    name, digest = one.subject.get("name"), one.subject.get("digest")
    return Subject("data", str(name or one.kind), digest if isinstance(digest, str) else one.digest)


RULES = (
    Rule(
        id="privacy.membership",
        title=Text("nobody can tell who was in the training data", "无法判断谁在训练数据中"),
        explanation=Text(
            "Attacks try to tell training members from others by the model's answers. The advantage is "
            "how much better "
            "than guessing the best attack is; the second figure is how many members are found almost surely.",
            "攻击根据模型的回答区分训练成员与非成员。优势表示最强攻击比随机猜测好多少；第二个数值表示几乎可以确定的成员比例。",
        ),
        gain=Text(
            "learns that a person was in the data: a patient of that clinic, a debtor of that bank",
            "得知某人在数据中：例如某医院的病人、某银行的欠款人",
        ),
        severity="high",
        names=MEMBERSHIP,
        check=membership,
        parameters=(
            Parameter(
                name="advantage",
                unit="share",
                title=Text("largest advantage of the best attack", "最强攻击的最大优势"),
                values={"low": 0.3, "standard": 0.2, "high": 0.1},
                interval="[0, 1]",
            ),
            Parameter(
                name="tpr",
                unit="share",
                title=Text("most members found at 1 % false alarms", "误报 1% 时最多找出的成员"),
                values={"low": 0.2, "standard": 0.1, "high": 0.05},
                interval="[0, 1]",
            ),
        ),
        since="standard",
    ),
    Rule(
        id="privacy.epsilon",
        title=Text("a promise of differential privacy holds", "差分隐私的承诺成立"),
        explanation=Text(
            "Where a model was trained with differential privacy, an audit with canaries must not find "
            "more loss than "
            "was promised, and a second accountant must agree. A model that was not so trained makes no "
            "promise; set "
            "required = true to ask for one.",
            "若模型采用差分隐私训练，则探针审计发现的损失不得超过承诺，且第二记账器须一致。"
            "未如此训练的模型没有承诺；设 required = true 可强制要求。",
        ),
        gain=Text(
            "learns more about single people than was promised to them", "得知的个人信息多于向其承诺的程度"
        ),
        severity="high",
        names=MEMBERSHIP,
        check=epsilon,
        parameters=(
            Parameter(
                name="epsilon",
                unit="",
                title=Text("largest epsilon that counts as a promise", "可算作承诺的最大 ε"),
                values={"low": 10.0, "standard": 8.0, "high": 3.0},
                interval="(0, 100]",
            ),
            Parameter(
                name="required",
                unit="",
                title=Text("whether every model must be so trained", "是否要求所有模型如此训练"),
                values={"low": False, "standard": False, "high": False},
            ),
        ),
    ),
    Rule(
        id="privacy.deidentified",
        title=Text("de-identified data name nobody", "脱敏后的数据不再指明任何人"),
        explanation=Text(
            "A second detector, which shares nothing with the first, looks at what came out. The upper "
            "end of the 95 % "
            "interval counts.",
            "由与前者毫无共享的第二检测器检查处理结果。以 95% 置信区间的上限为准。",
        ),
        gain=Text(
            "reads names, numbers and addresses in data that were taken for harmless",
            "在被认为无害的数据中读到姓名、号码和地址",
        ),
        severity="high",
        names=PERSONAL,
        check=deidentified,
        parameters=(
            Parameter(
                name="left",
                unit="share",
                title=Text("most records in which something is left", "仍有残留的记录的最大比例"),
                values={"low": 0.1, "standard": 0.05, "high": 0.02},
                interval="[0, 1]",
            ),
        ),
    ),
    Rule(
        id="privacy.anonymous",
        title=Text("published tables hide everybody in a group", "发布的表格中每个人都隐于群体之中"),
        explanation=Text(
            "k-anonymity and the risk that somebody who knows a person finds his row, measured apart from "
            "the code that "
            "made the table.",
            "k-匿名性，以及认识某人者找到其所在行的风险，由与制表代码无关的程序测量。",
        ),
        gain=Text(
            "finds a person he knows in the table, and reads the rest of the row",
            "在表中找到认识的人，并读到该行其余内容",
        ),
        severity="high",
        names=PERSONAL,
        check=anonymous,
        parameters=(
            Parameter(
                name="k",
                unit="people",
                title=Text("smallest group", "最小的组"),
                values={"low": 3, "standard": 5, "high": 10},
                interval="[2, 1000000]",
            ),
            Parameter(
                name="risk",
                unit="share",
                title=Text("highest risk of one person", "个人最高风险"),
                values={"low": 0.34, "standard": 0.2, "high": 0.1},
                interval="[0, 1]",
            ),
        ),
    ),
)
