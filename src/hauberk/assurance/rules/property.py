"""Whether a model that gets away is still locked, still known as yours, and tells who let it go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.names import THEFT
from hauberk.assurance.rule import Observation, Parameter, Rule
from hauberk.assurance.rules.saying import believable, data_of, held, mend, say, where
from hauberk.assurance.target import Target
from hauberk.assurance.text import Text, many


def sealed(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        fix = f"hauberk seal {where(model)} --recipient keys/me.pub --out {where(model)}.sealed"
        own = [one for one in model.sealed if one.known]
        if model.vault_version and target.vault is not None and target.vault.encrypted:
            seen = Text("it lies encrypted in the vault", "在保管库中加密存放")
            yield say("passed", model.subject, seen)
            continue
        if not own:
            seen = Text(
                "no sealed file that evidence binds to this model", "没有证据将任何密封文件与该模型绑定"
            )
            yield say("failed", model.subject, seen, fix=mend(model, fix))
            continue
        weak = [one.file for one in own if settings["post_quantum"] and not one.post_quantum]
        if weak:
            seen = Text(
                f"{weak[0]} can be opened once there are quantum computers",
                f"{weak[0]} 在量子计算机出现后可被打开",
            )
        else:
            seen = Text(f"sealed as {own[0].file}", f"已密封为 {own[0].file}")
        papers = tuple(
            one for one in model.of("sealing") if one.result.get("file_digest") in {each.digest for each in own}
        )
        yield say(held(not weak), model.subject, seen, evidence=papers, fix=mend(model, fix))


def marked(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        if model.package is None:
            continue
        made = tuple(one for one in model.evidence if one.kind == "watermark" and "commitment" in one.result)
        fix = (
            "hauberk watermark keygen --out OWNER.key",
            f"hauberk watermark embed {where(model)} --data {data_of(model)} --key OWNER.key "
            "--commitment MARK.json --out MARKED",
        )
        if not made and not model.commitments:
            seen = Text("it carries no mark that anybody committed to", "没有任何作过承诺的标记")
            yield say("failed", model.subject, seen, fix=mend(model, *fix))
            continue
        checks = model.of("watermark-verification")
        lost = [one for one in checks[:1] if one.result.get("found") is False]
        if lost:
            seen = Text("the last search for its mark did not find it", "最近一次查找标记时未能找到")
            yield say("failed", model.subject, seen, evidence=(*made, *lost), fix=mend(model, *fix))
            continue
        seen = Text(
            f"{many(max(len(made), len(model.commitments)), 'commitment')}, "
            f"{many(len(checks), 'search', 'searches')} that found the mark",
            f"{max(len(made), len(model.commitments))} 份承诺，{len(checks)} 次查找均找到标记",
        )
        yield say("passed", model.subject, seen, evidence=(*made, *checks))


def traceable(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        if model.package is None:
            continue
        issued = tuple(
            one
            for one in (*model.related, *model.evidence)
            if one.kind == "trace" and one.parameters.get("action") == "issue"
        )
        if issued:
            seen = Text(
                f"{many(len(issued), 'copy was', 'copies were')} issued, each marked for its recipient",
                f"已发放 {len(issued)} 份副本，均为接收者单独标记",
            )
            yield say("passed", model.subject, seen, evidence=issued)
        else:
            fix = (
                f"hauberk trace issue {where(model)} --recipient NAME --key TRACE.key --register COPIES.json "
                "--out COPY"
            )
            seen = Text("copies are all alike: a leaked one tells nothing", "所有副本完全相同：泄露后无从追查")
            yield say("failed", model.subject, seen, fix=mend(model, fix))


_STEAL = Text("copies the file and has the model, for good", "复制文件即永久拥有该模型")

RULES = (
    Rule(
        id="property.sealed",
        title=Text("the model is kept encrypted", "模型加密保存"),
        explanation=Text(
            "Weights that lie in the clear belong to whoever reads the disk. A sealed file counts when "
            "evidence binds it "
            "to this model; a model in an encrypted vault counts too.",
            "明文存放的权重属于任何能读磁盘的人。密封文件须有证据与该模型绑定方计入；存于加密保管库的模型亦计入。",
        ),
        gain=_STEAL,
        severity="medium",
        names=THEFT,
        check=sealed,
        parameters=(
            Parameter(
                name="post_quantum",
                unit="",
                title=Text("whether all recipients must be hybrid", "是否要求所有接收者使用混合密钥"),
                values={"low": False, "standard": False, "high": True},
            ),
        ),
        since="standard",
    ),
    Rule(
        id="property.watermark",
        title=Text("the model carries a mark that you committed to", "模型带有你作过承诺的标记"),
        explanation=Text(
            "A mark shows in a quarrel whose model it is, if it was committed to before. Without your key "
            "nobody here can "
            "see whether the mark is there; a verification's record counts, and one that did not find it "
            "fails.",
            "若事先作过承诺，标记可在争议中证明模型归属。没有你的密钥，这里无法判断标记是否存在；"
            "以查找记录为准，未找到即不通过。",
        ),
        gain=Text("sells your model as his own", "把你的模型当作自己的出售"),
        severity="low",
        names=THEFT,
        check=marked,
        since="high",
    ),
    Rule(
        id="property.traceable",
        title=Text("every copy tells whom it was given to", "每份副本都能说明发给了谁"),
        explanation=Text(
            "Recipients get copies of their own, so that a leaked one names the leak.",
            "每位接收者得到专属副本，泄露者因而可以查明。",
        ),
        gain=Text("passes your model on, and nobody can say who did", "转手你的模型而无人能查明"),
        severity="low",
        names=THEFT,
        check=traceable,
        since="high",
    ),
)
