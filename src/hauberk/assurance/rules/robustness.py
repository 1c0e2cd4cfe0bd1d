"""How well a model withstands inputs that somebody chose, and accidents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Context
from typing import Any

from hauberk.assurance.names import ACCURACY, EVASION, EVIDENCE, FAULTS
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import (
    age_days,
    believable,
    data_of,
    held,
    interval,
    mend,
    missing,
    number,
    percent,
    quoted,
    say,
    where,
)
from hauberk.assurance.target import Model, Target
from hauberk.assurance.text import Text, many
from hauberk.core.evidence import Evidence

_SLACK = 1e-9  # radii are decimal fractions of decimal ranges
_MEASURED = ("evaluation", "certificates", "corruptions")
_USUAL = 4 / 255  # the radius, as a share of the input range, that the profile standard asks for
_ANSWERED = ("HB112", "HB113")  # what a defence declares of itself, which the cascade has answered


def _threat(one: Evidence, model: Model, norm: str) -> float | None:
    """A document's radius as a share of the valid range, where its attacker is the one that is asked about."""
    threat = one.parameters.get("threat")
    if not isinstance(threat, dict) or threat.get("norm") != norm or threat.get("targeted") is not False:
        return None
    if threat.get("knowledge") != "white-box" or threat.get("queries") is not None:
        return None
    eps = number(threat, "eps")
    return None if eps is None else eps / model.range


def _strong(one: Evidence, settings: Mapping[str, Any]) -> bool:
    """Whether the search was the standard one, on enough samples."""
    samples = number(one.result, "samples") or 0
    standard = one.parameters.get("attacks") == "standard" or not settings["standard_attacks"]
    return standard and samples >= settings["samples"]


def _radius(settings: Mapping[str, Any]) -> Text:
    eps, norm = f"{settings['eps']:.4g}", settings["norm"]
    return Text(f"{norm} of {eps} of the input range", f"{norm} 半径为输入范围的 {eps}")


def _how(model: Model, settings: Mapping[str, Any]) -> tuple[str, ...]:
    eps = _option(settings["eps"] * model.range)
    data = data_of(model)
    return (
        f"hauberk evaluate {where(model)} --data {data} --norm {settings['norm']} --eps {eps}",
        f"hauberk harden {where(model)} --data {data} --norm {settings['norm']} --eps {eps} --out HARDENED",
    )


def _again(model: Model, one: Evidence | None) -> str:
    """The evaluation that repeats a measurement's attacker, or the usual one's where none was measured."""
    threat = one.parameters.get("threat") if one is not None else None
    norm, eps = (threat.get("norm"), number(threat, "eps")) if isinstance(threat, dict) else (None, None)
    if not isinstance(norm, str) or eps is None:
        norm, eps = "linf", _USUAL * model.range
    about = f"{where(model)} --data {data_of(model, one)}"
    return f"hauberk evaluate {about} --norm {quoted(norm)} --eps {_option(eps)}"


def _option(eps: float) -> str:
    """A radius as a command takes it, in four digits, never below: what is measured there must count here."""
    return f"{Context(prec=4, rounding=ROUND_CEILING).create_decimal(repr(round(eps, 12))):f}"


def worst_case(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    """The best radius at or above the asked one counts, and at each radius the worst that anybody found."""
    for model in believable(target):
        found: dict[float, list[Evidence]] = {}
        for one in model.of("evaluation"):
            radius = _threat(one, model, settings["norm"])
            told = interval(one.result, "robust_interval") is not None
            if radius is not None and radius >= settings["eps"] - _SLACK and told and _strong(one, settings):
                found.setdefault(radius, []).append(one)
        radius_asked = _radius(settings)
        needed = Text(
            f"at least {percent(settings['least'])} right in the worst case within {radius_asked.en}, on at "
            f"least {many(settings['samples'], 'sample')}",
            f"在 {radius_asked.zh}内，最坏情况下至少 {percent(settings['least'])} 正确，"
            f"样本不少于 {settings['samples']} 个",
        )
        if not found:
            there = len(model.of("evaluation"))
            seen = Text(
                f"no evaluation that answers this ({there} of other attackers, radii or sizes)",
                f"没有能回答此问题的评估（另有 {there} 份针对其他攻击者、半径或样本数的评估）",
            )
            yield say("unknown", model.subject, seen, needed, fix=mend(model, *_how(model, settings)))
            continue
        worst = {radius: min(each, key=_low) for radius, each in found.items()}
        radius, one = max(worst.items(), key=lambda pair: _low(pair[1]))
        low = _low(one)
        share = number(one.result, "robust_accuracy") or 0.0
        seen = Text(
            f"{percent(share)} right in the worst case at {radius:.4g} of the range "
            f"(at least {percent(low)} with 95 % confidence)",
            f"半径 {radius:.4g}（占输入范围）时最坏情况 {percent(share)} 正确（95% 置信下限 {percent(low)}）",
        )
        yield say(
            held(low >= settings["least"]),
            model.subject,
            seen,
            needed,
            evidence=(one,),
            fix=mend(model, *_how(model, settings)[::-1]),
            measured=share,
            low=low,
            least=settings["least"],
            eps=radius,
        )


def _low(one: Evidence) -> float:
    found = interval(one.result, "robust_interval")
    return found[0] if found else 0.0


def clean(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        found = [
            one
            for one in model.of("evaluation", "corruptions", "certificates")
            if interval(one.result, "clean_interval")
            and (number(one.result, "samples") or 0) >= settings["samples"]
        ]
        needed = Text(
            f"at least {percent(settings['least'])} right without any attack",
            f"无攻击时至少 {percent(settings['least'])} 正确",
        )
        if not found:
            seen = Text("nobody measured it on enough samples", "没有在足够多的样本上测量过")
            fix = f"hauberk evaluate {where(model)} --data {data_of(model)} --eps 0.01"
            yield say("unknown", model.subject, seen, needed, fix=mend(model, fix))
            continue
        low, one = _lowest(found)
        share = number(one.result, "clean_accuracy") or 0.0
        seen = Text(
            f"{percent(share)} right (at least {percent(low)} with 95 % confidence)",
            f"{percent(share)} 正确（95% 置信下限 {percent(low)}）",
        )
        yield say(
            held(low >= settings["least"]),
            model.subject,
            seen,
            needed,
            evidence=(one,),
            measured=share,
            low=low,
            least=settings["least"],
        )


def _lowest(found: list[Evidence]) -> tuple[float, Evidence]:
    def low(one: Evidence) -> float:
        return (interval(one.result, "clean_interval") or (0.0, 0.0))[0]

    one = min(found, key=low)
    return low(one), one


def certified(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        found = []
        for one in model.of("certificates"):
            radius = _threat(one, model, settings["norm"])
            confidence = one.result.get("confidence")
            sure = confidence is None or (number(one.result, "confidence") or 0) >= settings["confidence"]
            told = interval(one.result, "certified_interval") is not None
            if radius is not None and radius >= settings["eps"] - _SLACK and sure and told:
                found.append(one)
        radius_asked = _radius(settings)
        needed = Text(
            f"at least {percent(settings['least'])} right with a certificate within {radius_asked.en}",
            f"在 {radius_asked.zh}内至少 {percent(settings['least'])} 有正确性证书",
        )
        eps = _option(settings["eps"] * model.range)
        about = f"{where(model)} --data {data_of(model)}"
        fix = f"hauberk certify {about} --norm {settings['norm']} --eps {eps}"
        if not found:
            yield say(
                "unknown",
                model.subject,
                Text("no certificates for this", "没有相应的证书"),
                needed,
                fix=mend(model, fix),
            )
            continue
        # each certificate is a lower bound, so the best of them holds
        one = max(found, key=lambda each: (interval(each.result, "certified_interval") or (0.0, 0.0))[0])
        low = (interval(one.result, "certified_interval") or (0.0, 0.0))[0]
        share = number(one.result, "certified_accuracy") or 0.0
        seen = Text(
            f"{percent(share)} certified (at least {percent(low)} with 95 % confidence)",
            f"{percent(share)} 已认证（95% 置信下限 {percent(low)}）",
        )
        yield say(
            held(low >= settings["least"]),
            model.subject,
            seen,
            needed,
            evidence=(one,),
            fix=mend(model, fix),
            measured=share,
            low=low,
            least=settings["least"],
        )


def flags(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        measured = model.of(*_MEASURED)
        if not measured:
            continue
        raised: dict[str, list[Evidence]] = {}
        for one in measured:
            for flag in one.result.get("flags", []):
                code = flag.get("code") if isinstance(flag, dict) else None
                answered = isinstance(flag, dict) and flag.get("tried") and settings["answered_closed"]
                if isinstance(code, str) and code not in settings["allowed"] and not answered:
                    raised.setdefault(code, []).append(one)
        codes = ", ".join(sorted(raised))
        if raised:
            seen = Text(
                f"raised and not answered: {codes} (docs/flags.md)",
                f"已触发且未解答：{codes}（见 docs/flags.md）",
            )
        else:
            seen = Text(
                f"{many(len(measured), 'measurement raises', 'measurements raise')} none that is open",
                f"{len(measured)} 份测量均无未解答的警示",
            )
        first = next((each[0] for each in raised.values()), None)
        # the same attacker on more samples: what few of them flagged, more may answer
        fix = (f"{_again(model, first)} --samples 1000",)
        yield say(
            held(not raised),
            model.subject,
            seen,
            fix=fix,
            codes=sorted(raised),
            evidence=tuple(one for each in raised.values() for one in each) or measured,
        )


def corruptions(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        found = [one for one in model.of("corruptions") if number(one.result, "mean_accuracy") is not None]
        needed = Text(
            f"at least {percent(settings['least'])} right on average over noise, blur, weather and compression",
            f"在噪声、模糊、天气和压缩下平均至少 {percent(settings['least'])} 正确",
        )
        fix = f"hauberk evaluate {where(model)} --data {data_of(model)} --corruptions"
        if not found:
            seen = Text("never measured under accidents", "从未在意外干扰下测量过")
            yield say("unknown", model.subject, seen, needed, fix=mend(model, fix))
            continue
        one = min(found, key=lambda each: number(each.result, "mean_accuracy") or 0.0)
        share = number(one.result, "mean_accuracy") or 0.0
        seen = Text(f"{percent(share)} right on average", f"平均 {percent(share)} 正确")
        yield say(
            held(share >= settings["least"]),
            model.subject,
            seen,
            needed,
            evidence=(one,),
            fix=mend(model, fix),
            measured=share,
            least=settings["least"],
        )


def fresh(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        found = model.of("evaluation")
        needed = Text(
            f"an evaluation of the last {many(settings['days'], 'day')}", f"最近 {settings['days']} 天内的评估"
        )
        fix = _again(model, found[0] if found else None)
        if not found:
            yield missing(model, Text("never evaluated", "从未评估"), fix)
            continue
        days = age_days(found[0].created, target.at)
        seen = Text(f"the newest is {many(days, 'day')} old", f"最新的评估已有 {days:.0f} 天")
        yield say(
            held(days <= settings["days"]),
            model.subject,
            seen,
            needed,
            evidence=(found[0],),
            fix=mend(model, fix),
            days=round(days, 2),
            most=settings["days"],
        )


_NORM = Parameter(
    name="norm", unit="", title=Text("how the attacker's change is measured", "衡量攻击者改动的范数"),
    values={"low": "linf", "standard": "linf", "high": "linf"},
)  # fmt: skip
_SAMPLES = Parameter(
    name="samples", unit="samples", title=Text("fewest samples that count", "计入的最少样本数"),
    values={"low": 100, "standard": 300, "high": 1000}, interval="[1, 100000000]",
)  # fmt: skip


def _eps(low: float, standard: float, high: float) -> Parameter:
    return Parameter(
        name="eps",
        unit="share of the input range",
        title=Text("the attacker's radius", "攻击者的半径"),
        values={"low": low, "standard": standard, "high": high},
        interval="(0, 1]",
    )


def _least(low: float, standard: float, high: float, title: Text) -> Parameter:
    return Parameter(
        name="least",
        unit="share",
        title=title,
        interval="[0, 1]",
        values={"low": low, "standard": standard, "high": high},
    )


_GAIN = Text(
    "changes inputs so slightly that nobody sees it, and gets the answer he wants",
    "对输入作人眼难以察觉的改动，即可得到他想要的结果",
)

RULES = (
    Rule(
        id="robustness.worst-case",
        title=Text("the model withstands a strong attacker", "模型能抵御强攻击者"),
        explanation=Text(
            "Accuracy when every sample is attacked by a cascade of strong white-box attacks and the "
            "worst counts. "
            "The radius is a share of the input range, so 8/255 of an image's brightness is 0.0314. The "
            "lower end "
            "of the 95 % interval counts, so that few samples are no advantage.",
            "对每个样本施以一系列强白盒攻击，取最坏结果所得的正确率。半径按输入范围的比例计，"
            "图像亮度的 8/255 即 0.0314。以 95% 置信区间的下限为准，样本少并不占便宜。",
        ),
        gain=_GAIN,
        severity="high",
        names=EVASION,
        check=worst_case,
        parameters=(
            _NORM,
            _eps(2 / 255, _USUAL, 8 / 255),
            _least(0.2, 0.4, 0.5, Text("least accuracy in the worst case", "最坏情况下的最低正确率")),
            _SAMPLES,
            Parameter(
                name="standard_attacks",
                unit="",
                title=Text("whether only the standard cascade counts", "是否只计标准攻击组合"),
                values={"low": False, "standard": True, "high": True},
            ),
        ),
    ),
    Rule(
        id="robustness.clean",
        title=Text("the model is good at its task", "模型能胜任其任务"),
        explanation=Text(
            "A model that is wrong without any attack is robust to nothing. The lower end of the 95 % "
            "interval counts.",
            "无攻击时就出错的模型谈不上鲁棒。以 95% 置信区间的下限为准。",
        ),
        gain=Text("needs no attack: the model errs by itself", "无需攻击：模型自己就会出错"),
        severity="medium",
        names=ACCURACY,
        check=clean,
        parameters=(_least(0.5, 0.75, 0.85, Text("least accuracy", "最低正确率")), _SAMPLES),
    ),
    Rule(
        id="robustness.certified",
        title=Text("part of the model's answers is proven", "模型的部分回答有数学证明"),
        explanation=Text(
            "An attack that was not found may still exist; a certificate shows that none does. "
            "Certificates reach "
            "smaller radii than attacks are tried at, so figures here are smaller.",
            "没有找到的攻击仍可能存在，而证书表明其不存在。证书所能达到的半径小于攻击测试的半径，因此数值较低。",
        ),
        gain=Text("finds tomorrow the attack that nobody found today", "明天就能找到今天无人找到的攻击"),
        severity="medium",
        names=EVASION,
        check=certified,
        parameters=(
            _NORM,
            _eps(1 / 255, 1 / 255, 2 / 255),
            _least(0.1, 0.2, 0.25, Text("least certified accuracy", "最低认证正确率")),
            Parameter(
                name="confidence",
                unit="share",
                title=Text("least confidence of a certificate", "证书的最低置信度"),
                values={"low": 0.99, "standard": 0.999, "high": 0.999},
                interval="[0.5, 1]",
            ),
        ),
        since="high",
    ),
    Rule(
        id="robustness.flags",
        title=Text("no measurement says that its own figures may be too good", "没有测量提示自身数值可能偏高"),
        explanation=Text(
            "Vanishing gradients, one step that beats many, a black box that beats the white box: signs "
            "that an "
            "attack was blind rather than the model strong. Each has a code and a page (docs/flags.md). A "
            "flag that "
            "the cascade answered with further attacks does not count.",
            "梯度消失、单步胜过多步、黑盒胜过白盒等迹象，表明攻击失效而非模型坚固。"
            "每个警示都有代码和说明页（docs/flags.md）。已由附加攻击解答的警示不计。",
        ),
        gain=_GAIN,
        severity="high",
        names=EVASION,
        check=flags,
        parameters=(
            Parameter(
                name="allowed",
                unit="",
                title=Text("codes that are accepted", "可接受的警示代码"),
                values={"low": ("HB103", "HB111", *_ANSWERED), "standard": _ANSWERED, "high": _ANSWERED},
            ),
            Parameter(
                name="answered_closed",
                unit="",
                title=Text(
                    "whether a flag that was answered by further attacks is closed",
                    "附加攻击解答后是否视为关闭",
                ),
                values={"low": True, "standard": True, "high": True},
            ),
        ),
    ),
    Rule(
        id="robustness.corruptions",
        title=Text("the model withstands accidents", "模型能承受意外干扰"),
        explanation=Text(
            "The fifteen common corruptions (noise, blur, weather, compression) at all severities, on "
            "average. No "
            "attacker is needed for them: cameras and networks suffice.",
            "十五种常见干扰（噪声、模糊、天气、压缩）各级强度下的平均正确率。不需要攻击者，相机和网络就会造成这些干扰。",
        ),
        gain=Text(
            "makes the model fail with a dirty lens or a bad line, and nobody suspects intent",
            "用脏镜头或差线路就能使模型失效，且无人怀疑是蓄意",
        ),
        severity="medium",
        names=FAULTS,
        check=corruptions,
        parameters=(_least(0.3, 0.5, 0.6, Text("least mean accuracy", "最低平均正确率")),),
        since="standard",
    ),
    Rule(
        id="robustness.fresh",
        title=Text("the model was evaluated lately", "模型近期做过评估"),
        explanation=Text(
            "Attacks get better. A figure from a year ago says how the model stood against the attacks of "
            "then.",
            "攻击手段不断进步。一年前的数值只说明模型当时抵御攻击的能力。",
        ),
        gain=Text("uses an attack that is younger than the figure", "使用比该数值更新的攻击手段"),
        severity="low",
        names=EVIDENCE,
        check=fresh,
        parameters=(
            Parameter(
                name="days",
                unit="days",
                title=Text("oldest evaluation that counts", "计入的最早评估"),
                values={"low": 730, "standard": 365, "high": 180},
                interval="[0, 36500]",
            ),
        ),
    ),
)
