"""Whether a model is what somebody made and signed, and its papers are whole, its own, and proven."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hauberk.assurance.finding import Severity
from hauberk.assurance.names import EVIDENCE, POISONING, TAMPERING, UNSAFE
from hauberk.assurance.rule import Observation, Rule
from hauberk.assurance.rules.saying import (
    believable,
    data_of,
    held,
    kinds,
    mend,
    quoted,
    say,
    where,
)
from hauberk.assurance.target import Model, Refused, Target
from hauberk.assurance.text import Text, many
from hauberk.core.evidence import Evidence

_BIRTHS = ("training", "import")
_NO_LEDGER = Text("no ledger", "无账本")


def package(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in target.models:
        if model.broken:
            seen = Text(f"it cannot be believed: {model.broken}", f"不可信：{model.broken}")
            fix = "hauberk vault pull NAME@VERSION --out PKG --force"
            yield say("failed", model.subject, seen, fix=(fix,))
        else:
            seen = Text("every file has the digest that the package names", "每个文件的摘要都与模型包所列一致")
            yield say("passed", model.subject, seen, package=model.package)


def evidence(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    """What speaks of other models is left out and told; what was edited, or cannot be true, is a finding."""
    for model in believable(target):
        yield _papers(model)
    bad = [one for one in target.refused if one.reason != "foreign"]
    if bad:
        yield say("failed", target.subject, _listed(bad), refused=[one.file for one in bad])


def _papers(model: Model) -> Observation:
    bad = [one for one in model.refused if one.reason != "foreign"]
    others = len(model.refused) - len(bad)
    if bad:
        # what lies in a vault stays as it was published
        gone = () if model.vault_version else bad
        fix = tuple(f"rm {quoted(f'{model.papers}/' + one.file.rpartition('/')[2])}" for one in gone)
        return say("failed", model.subject, _listed(bad), fix=fix, refused=[one.file for one in bad])
    seen = Text(
        f"{many(len(model.evidence), 'document counts', 'documents count')}; {others} of other models "
        + ("was left out" if others == 1 else "were left out"),
        f"{len(model.evidence)} 份文件计入；{others} 份属于其他模型，未计入",
    )
    return say("passed", model.subject, seen, counted=len(model.evidence), foreign=others)


def _listed(bad: list[Refused]) -> Text:
    more = f" (+{len(bad) - 3})" if len(bad) > 3 else ""
    return Text(
        "; ".join(f"{one.file}: {one.why.en}" for one in bad[:3]) + more,
        "；".join(f"{one.file}：{one.why.zh}" for one in bad[:3]) + more,
    )


_SIGNED: dict[str, Text] = {
    "absent": Text("it is not signed", "没有签名"),
    "broken": Text("the signature is not over these files: {why}", "签名所签的不是这些文件：{why}"),
    "unknown signer": Text(
        "nobody whom the policy trusts has signed it: {why}", "没有策略所信任者的签名：{why}"
    ),
    "holds": Text("signed by {signer}", "签名者：{signer}"),
}


def signature(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        if model.package is None:
            continue
        signed = model.signed
        seen = _SIGNED[signed.state].format(why=signed.why, signer=signed.signer)
        # signing again does not help where nobody is trusted; where others are, this signer must not become so
        nobody = signed.state == "unknown signer" and not (target.trust.signers or target.trust.authorities)
        sign = f"hauberk sign {where(model)} --key PRIVATE.pem --out {where(model)}.sig"
        fix = ('edit POLICY: [trust] signers = ["PUBLIC.pem"]',) if nobody else mend(model, sign)
        # a signature over other files is a sign of tampering, not of somebody who forgot
        severity: Severity | None = "critical" if signed.state == "broken" else None
        yield say(
            held(signed.state == "holds"), model.subject, seen, fix=fix, severity=severity,
            signature=signed.digest, signed=signed.state,
        )  # fmt: skip


def ledger(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        logged = model.logged
        documents = [one for one in model.evidence if logged.proofs.get(one.digest) is not None]
        if logged.why or (not documents and model.evidence):
            seen = Text("no proofs: {why}", "没有证明：{why}").format(why=logged.why or _NO_LEDGER)
            trusted = 'edit POLICY: [trust] logs = ["LEDGER/key.pub"]'
            named = "hauberk audit TARGET --ledger LEDGER --policy POLICY"
            # of a model in a vault the vault's own ledger is asked, which needs no naming
            fixes = (trusted,) if model.vault_version else (trusted, named)
            yield say("unknown", model.subject, seen, evidence=model.evidence, fix=fixes)
            continue
        fails = [one for one in documents if logged.proofs[one.digest] == "fails"]
        absent = [one for one in documents if logged.proofs[one.digest] == "not logged"]
        if fails:
            seen = Text(
                f"{many(len(fails), 'proof fails', 'proofs fail')} in {logged.where}",
                f"{logged.where} 中有 {len(fails)} 个证明不成立",
            )
            yield say("failed", model.subject, seen, evidence=tuple(fails), severity="critical")
        elif absent:
            which = kinds(sorted({one.kind for one in absent}))
            seen = Text(
                f"{len(absent)} of {many(len(documents), 'document')} {'is' if len(absent) == 1 else 'are'} "
                f"not in {logged.where}: {which.en}",
                f"{len(documents)} 份文件中有 {len(absent)} 份不在 {logged.where} 中：{which.zh}",
            )
            fix = "hauberk ledger append evidence/*.json --ledger LEDGER"
            yield say(
                "failed", model.subject, seen, evidence=tuple(absent), fix=mend(model, fix), missing=len(absent)
            )
        else:
            seen = Text(
                f"{many(len(documents), 'document')} proven under a head of "
                f"{many(logged.head, 'entry', 'entries')}",
                f"{len(documents)} 份文件已在 {logged.head} 条记录的账本头下得到证明",
            )
            yield say("passed", model.subject, seen, evidence=tuple(documents), head=logged.head)


def scan(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        if model.scanned is None:
            continue
        found = model.scanned
        fix = f"hauberk scan {where(model)}"
        if found.clean:
            yield say("passed", model.subject, Text("nothing found", "未发现问题"), counts=dict(found.counts))
        else:
            seen = Text(f"found: {found.worst}", f"发现：{found.worst}")
            severity: Severity | None = "critical" if found.counts.get("high") else None
            yield say(
                "failed",
                model.subject,
                seen,
                fix=mend(model, fix),
                severity=severity,
                counts=dict(found.counts),
            )


def provenance(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    for model in believable(target):
        if model.package is None:
            continue
        gaps = list(_gaps(model))
        if gaps:
            seen = Text("; ".join(one.en for one in gaps), "；".join(one.zh for one in gaps))
        else:
            steps = kinds((one.kind for one in model.born), " → ", " → ")
            seen = Text("whole, from data to model: {steps}", "从数据到模型完整：{steps}").format(steps=steps)
        yield say(
            held(not gaps), model.subject, seen, evidence=model.born, steps=[one.kind for one in model.born]
        )


def _gaps(model: Model) -> Iterator[Text]:
    """What is missing between the data and these weights."""
    if not model.born:
        yield Text("nothing says how it came to be", "没有任何关于其来历的说明")
        return
    known = {one.digest for one in (*model.born, *model.evidence)}
    if not any(one.kind in _BIRTHS for one in model.born):
        yield Text("there is neither a training nor an import", "既无训练记录也无导入记录")
    if model.born[-1].subject.get("digest") != model.subject.digest:
        yield Text("the last step names other weights than these", "最后一步所指的权重不是这些")
    for one in model.born:
        if one.kind == "training" and not _has_data(one):
            yield Text("a training does not name its data", "有训练记录未说明其数据")
        lost = [parent for parent in one.parents if parent not in known]
        # what a model was before it was brought in, or scanned, is told elsewhere
        if lost and one.kind != "import":
            step = kinds([one.kind])
            yield Text(f"a step before the {step.en} is missing", f"“{step.zh}”之前的步骤缺失")


def _has_data(one: Evidence) -> bool:
    data = one.inputs.get("dataset")
    return isinstance(data, dict) and str(data.get("digest", "")).startswith("sha256:")


def cleansed(target: Target, settings: Mapping[str, Any]) -> Iterator[Observation]:
    """Only where somebody searched, and found: a model that was looked at and not mended."""
    for model in believable(target):
        for one in model.of("cleansing"):
            suspected = [row for row in one.result.get("classes", []) if row.get("suspected")]
            before, after = one.result.get("before"), one.result.get("after")
            if not suspected and not one.result.get("flagged"):
                seen = Text("searched for a backdoor, none found", "已查找后门，未发现")
                yield say("passed", model.subject, seen, evidence=(one,))
            elif before == after or one.inputs.get("model", {}).get("digest") == model.subject.digest:
                seen = Text(
                    "a search found signs of a backdoor, and nothing was mended", "检测到后门迹象，但未修复"
                )
                data = data_of(model)
                fix = f"hauberk cleanse {where(model)} --data {data} --method fine-pruning --out CLEANSED"
                yield say("failed", model.subject, seen, evidence=(one,), fix=mend(model, fix))
            else:
                yield say("passed", model.subject, Text("found and mended", "已发现并修复"), evidence=(one,))


_REPLACE = Text(
    "puts a model of his own, with a backdoor or worse answers, in the place of yours",
    "用带后门或劣化的模型替换你的模型",
)
_FORGE = Text("shows good figures for a bad model", "为劣质模型出示漂亮的数值")

RULES = (
    Rule(
        id="integrity.package",
        title=Text("the package is whole and unchanged", "模型包完整且未被改动"),
        explanation=Text(
            "Every file's SHA-256 is compared with the manifest, and the model's digest computed anew. "
            "Nothing else is "
            "asked of a package that cannot be believed.",
            "逐一比对每个文件的 SHA-256 与清单，并重新计算模型摘要。不可信的模型包不再作其他检查。",
        ),
        gain=_REPLACE,
        severity="critical",
        names=TAMPERING,
        check=package,
    ),
    Rule(
        id="integrity.evidence",
        title=Text("no evidence was edited, or is older than its model", "没有被改动或早于模型的证据"),
        explanation=Text(
            "Documents whose digest does not fit, that cannot be read, or are dated before the model was "
            "made or after "
            "today, count for nothing; that they are there needs an explanation. Documents of other "
            "models are left out.",
            "摘要不符、无法读取、日期早于模型产生或晚于今天的文件一律不计，且其存在需要解释。其他模型的文件不计入。",
        ),
        gain=_FORGE,
        severity="high",
        names=EVIDENCE,
        check=evidence,
    ),
    Rule(
        id="integrity.signature",
        title=Text("somebody you trust signed the package", "由你信任的人签署了模型包"),
        explanation=Text(
            "A digest shows accidents; only a signature shows who stands behind the files. Whose "
            "signature counts stands "
            "in the policy: [trust] signers and authorities.",
            "摘要只能发现意外；只有签名才能表明谁为这些文件负责。信任谁的签名由策略规定：[trust] signers "
            "与 authorities。",
        ),
        gain=_REPLACE,
        severity="high",
        names=TAMPERING,
        check=signature,
        since="standard",
    ),
    Rule(
        id="integrity.ledger",
        title=Text("the ledger proves every document", "账本证明每一份文件"),
        explanation=Text(
            "Evidence that stands in an append-only log cannot be replaced by better figures later. A "
            "proof is computed "
            "for each document, under a head that a trusted log signed.",
            "写入只增账本的证据，事后无法用更好的数值替换。对每份文件在受信账本签名的账本头下计算证明。",
        ),
        gain=_FORGE,
        severity="medium",
        names=EVIDENCE,
        check=ledger,
        since="standard",
    ),
    Rule(
        id="integrity.scan",
        title=Text("no file can run code when it is loaded", "加载时没有文件能执行代码"),
        explanation=Text(
            "hauberk scan looks at every file of the package now, whatever an old record says.",
            "无论旧记录如何，现在就用 hauberk scan 检查模型包的每个文件。",
        ),
        gain=Text(
            "runs code of his choice, with your rights, when the model is loaded",
            "在加载模型时以你的权限执行任意代码",
        ),
        severity="high",
        names=UNSAFE,
        check=scan,
    ),
    Rule(
        id="integrity.provenance",
        title=Text("the model's life is told without a gap", "模型的来历完整无缺"),
        explanation=Text(
            "From the data set's digest over every step to these very weights, each step naming the one "
            "before.",
            "从数据集摘要经每一步直到当前权重，每一步都指明前一步。",
        ),
        gain=Text(
            "slips in data or weights of his own at the step that nobody recorded",
            "在无人记录的步骤中混入自己的数据或权重",
        ),
        severity="medium",
        names=POISONING,
        check=provenance,
    ),
    Rule(
        id="integrity.backdoor",
        title=Text("signs of a backdoor were followed", "后门迹象已得到处理"),
        explanation=Text(
            "Where somebody searched a model for poisoned data or a trigger and found signs, it was "
            "mended. This rule "
            "says nothing of models that nobody searched.",
            "若有人检查模型中的投毒数据或触发器并发现迹象，则须已修复。对未经检查的模型，本规则不作判断。",
        ),
        gain=Text("shows his sign, and the model obeys", "出示他的标记，模型即听命于他"),
        severity="critical",
        names=POISONING,
        check=cleansed,
    ),
)
