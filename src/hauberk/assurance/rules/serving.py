"""Whether a running server protects its callers, its models and itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.names import CHANNEL, EXTRACTION, OVERLOAD
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import held, quoted, say
from hauberk.assurance.target import ServingFacts, Target
from hauberk.assurance.text import Text, many

_ASK = "hauberk audit URL --api-key-file AUDITOR.key"
_SILENT = Text("it could not be asked: {why}", "无法询问：{why}")


def reachable(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = target.serving
    if facts is None:
        return
    if facts.answers:
        served = ", ".join(facts.models) or "?"
        yield say(
            "passed",
            facts.subject,
            Text(f"ready; serves {served}", f"就绪；提供 {served}"),
            models=list(facts.models),
        )
    else:
        strange = "CERTIFICATE_VERIFY_FAILED" in facts.why.en
        fix = (f"hauberk audit {quoted(facts.url)} --ca CERT.pem",) if strange else ()
        yield say("unknown", facts.subject, _SILENT.format(why=facts.why), fix=fix)


def _asked(target: Target) -> ServingFacts | None:
    """The server, where it answered; that it did not is said once."""
    return target.serving if target.serving is not None and target.serving.answers else None


def tls(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = _asked(target)
    if facts is None:
        return
    needed = Text(
        f"{settings['least']} or newer, nothing older, and a certificate for "
        f"{many(settings['days'], 'day')} more",
        f"{settings['least']} 或更新，不接受更旧版本，证书至少还有 {settings['days']} 天有效",
    )
    fix = "hauberk serve --vault DIR --tls CERT.pem KEY.pem"
    if facts.tls is None:
        at_home = facts.loopback and settings["plain_at_home"]
        seen = (
            Text("plain HTTP", "明文 HTTP")
            if not facts.loopback
            else Text("plain HTTP within one machine", "本机内明文 HTTP")
        )
        yield say(held(at_home), facts.subject, seen, needed, fix=(fix,), tls=None)
        return
    ends = facts.certificate_until
    days = None if ends is None else (ends - target.at).total_seconds() / 86400
    modern = facts.tls >= settings["least"] and not facts.old_tls
    lasting = days is not None and days >= settings["days"]
    left = Text("?", "?") if days is None else Text(many(days, "day"), f"{days:.0f}")
    old = Text(", and old versions too", "，也接受旧版本") if facts.old_tls else Text(".", "。")
    seen = Text(
        f"{facts.tls}; the certificate ends in {left.en}{old.en if facts.old_tls else ''}",
        f"{facts.tls}；证书还有 {left.zh} 天到期{old.zh if facts.old_tls else ''}",
    )
    yield say(held(modern and lasting), facts.subject, seen, needed, fix=(fix,), tls=facts.tls, days=days)


def known_callers(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = _asked(target)
    if facts is None:
        return
    fix = "hauberk serve --vault DIR --models NAME"
    if facts.open_predictions is None:
        yield say("unknown", facts.subject, Text("it gave no answer that tells", "其回答无法判断"), fix=(fix,))
    elif facts.open_predictions:
        seen = Text("it answers whoever asks, without a key", "无需密钥即回答任何人")
        yield say("failed", facts.subject, seen, fix=(fix,))
    else:
        yield say("passed", facts.subject, Text("who shows no key is sent away", "不出示密钥者被拒绝"))


def guard(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = _asked(target)
    if facts is None:
        return
    if facts.guard is None:
        seen = Text("its metrics could not be read", "无法读取其指标")
        yield say("unknown", facts.subject, seen, fix=(_ASK,))
    elif facts.guard:
        yield say("passed", facts.subject, Text("it watches callers", "正在监视调用者"))
    else:
        seen = Text("nobody watches what callers do", "无人监视调用者的行为")
        yield say("failed", facts.subject, seen, fix=("hauberk serve --vault DIR --guard guard.toml",))


def limits(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = _asked(target)
    if facts is None:
        return
    if facts.refuses_huge is None:
        seen = Text("no model of it could be asked", "无法询问其任何模型")
        yield say("unknown", facts.subject, seen, fix=(_ASK,))
    elif facts.refuses_huge:
        seen = Text("a body of a terabyte is refused when it is announced", "声明 1 TB 的请求体即被拒绝")
        yield say("passed", facts.subject, seen)
    else:
        seen = Text("it would take a body of a terabyte", "会接受 1 TB 的请求体")
        yield say("failed", facts.subject, seen, fix=("hauberk serve --vault DIR --set body_bytes=16777216",))


def alerts(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    facts = _asked(target)
    if facts is None or facts.guard is False:
        return
    most = settings["most"]
    needed = Text(f"at most {most} alerts of the guard since it started", f"启动以来守卫警报不超过 {most} 次")
    if facts.alerts is None:
        seen = Text("its metrics could not be read", "无法读取其指标")
        yield say("unknown", facts.subject, seen, needed, fix=(_ASK,))
        return
    seen = Text(f"{facts.alerts} alerts", f"{facts.alerts} 次警报")
    fix = "read the server's log: each alert says whom, why and what was done"
    yield say(
        held(facts.alerts <= most), facts.subject, seen, needed, fix=(fix,), alerts=facts.alerts, most=most
    )


_LISTEN = Text("reads questions and answers on the way, and changes them", "在途中读取并篡改提问与回答")

RULES = (
    Rule(
        id="serving.reachable",
        title=Text("the server can be asked", "服务器可以询问"),
        explanation=Text(
            "What does not answer cannot be assessed, so nothing about it passes.",
            "不回应的服务器无法评估，因此与其有关的检查都不能通过。",
        ),
        gain=Text("waits until nobody can look", "等到无人能查看的时候下手"),
        severity="high",
        names=OVERLOAD,
        check=reachable,
    ),
    Rule(
        id="serving.tls",
        title=Text("connections are encrypted", "连接经过加密"),
        explanation=Text(
            "The protocol that is agreed, whether older ones are taken too, and how long the certificate "
            "lasts. Plain HTTP "
            "on one machine is accepted where the profile says so.",
            "检查所协商的协议、是否也接受旧协议，以及证书剩余有效期。仅本机的明文 HTTP 是否可接受由风险等"
            "级决定。",
        ),
        gain=_LISTEN,
        severity="high",
        names=CHANNEL,
        check=tls,
        parameters=(
            Parameter(
                name="least",
                unit="",
                title=Text("oldest protocol", "最旧协议"),
                values={"low": "TLSv1.2", "standard": "TLSv1.3", "high": "TLSv1.3"},
            ),
            Parameter(
                name="days",
                unit="days",
                title=Text("how long the certificate must last", "证书须剩余的有效天数"),
                values={"low": 1, "standard": 14, "high": 30},
                interval="[0, 3650]",
            ),
            Parameter(
                name="plain_at_home",
                unit="",
                title=Text("whether plain HTTP within one machine will do", "本机内明文 HTTP 是否可接受"),
                values={"low": True, "standard": True, "high": False},
            ),
        ),
    ),
    Rule(
        id="serving.callers",
        title=Text("only known callers get predictions", "只有已知的调用者能得到预测"),
        explanation=Text(
            "A request without a key is sent, with nothing in it. Whoever may ask without a name can copy "
            "the model by "
            "asking, and nobody knows who did.",
            "发送一个不带密钥的空请求。若匿名者也能提问，就能通过提问复制模型而无人知晓。",
        ),
        gain=Text(
            "asks as often as he likes, and copies the model by its answers", "任意提问，并通过回答复制模型"
        ),
        severity="high",
        names=EXTRACTION,
        check=known_callers,
        since="standard",
    ),
    Rule(
        id="serving.guard",
        title=Text("somebody watches what callers do", "有人监视调用者的行为"),
        explanation=Text(
            "Extraction and evasion show in the questions before they succeed. Whether the guard is on "
            "stands in the "
            "server's metrics, for which a key with the role auditor is needed.",
            "窃取与规避攻击在成功之前就会体现在提问中。守卫是否开启见服务器指标，读取需要审计员角色的密钥。",
        ),
        gain=Text(
            "steals or fools the model over thousands of questions, unnoticed",
            "以成千上万次提问窃取或欺骗模型而不被察觉",
        ),
        severity="medium",
        names=EXTRACTION,
        check=guard,
        since="standard",
    ),
    Rule(
        id="serving.limits",
        title=Text("no request can exhaust the server", "任何请求都不能耗尽服务器"),
        explanation=Text(
            "A request that announces a terabyte must be refused before any of it is sent.",
            "声明 1 TB 的请求必须在发送之前就被拒绝。",
        ),
        gain=Text("stops the service with a few requests", "用几个请求即可使服务中断"),
        severity="medium",
        names=OVERLOAD,
        check=limits,
    ),
    Rule(
        id="serving.alerts",
        title=Text("no alert of the guard is open", "守卫没有未处理的警报"),
        explanation=Text(
            "An alert is somebody who searched or copied. The count is since the server started; a "
            "restart after an alert "
            "was dealt with sets it to none.",
            "警报意味着有人在探测或复制。计数自服务器启动算起；处理完毕后重启即归零。",
        ),
        gain=Text("goes on with what was noticed and left alone", "继续进行已被察觉却无人理会的攻击"),
        severity="high",
        names=EXTRACTION,
        check=alerts,
        parameters=(
            Parameter(
                name="most",
                unit="alerts",
                title=Text("most alerts", "最多警报数"),
                values={"low": 10, "standard": 0, "high": 0},
                interval="[0, 1000000]",
            ),
        ),
        since="standard",
    ),
)
