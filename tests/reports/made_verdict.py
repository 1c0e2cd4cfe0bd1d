"""Verdicts made by hand, as docs/spec/audit.md has them; nothing of hauberk.assurance is used."""

from __future__ import annotations

from typing import Any

from made_evidence import evaluation, record

from hauberk.core.evidence import Evidence

MODEL = evaluation("hardened").subject["digest"]
NAMES = {
    "owasp": ["ML01:2023 Input Manipulation Attack"],
    "atlas": ["AML.T0043 Craft Adversarial Data"],
    "nist": ["Evasion attacks"],
    "eu": ["Art. 15(5) cybersecurity"],
    "china": ["GB/T 45654-2025 模型安全要求"],
}
RULES = (  # id, title in both languages
    ("integrity.signature", "somebody you trust signed the package", "由你信任的人签署"),
    ("integrity.evidence", "no evidence was edited", "证据未被改动"),
    ("robustness.worst-case", "the model withstands a strong attacker", "模型能抵御强攻击者"),
    ("robustness.corruptions", "the model withstands accidents", "模型能承受意外干扰"),
    ("privacy.membership", "nobody can tell who was in the training data", "无法判断谁在训练数据中"),
    ("property.sealed", "the model is kept encrypted", "模型加密保存"),
    ("access.second-factor", "people need a second factor", "人员须有第二因素"),
    ("serving.tls", "connections are encrypted", "连接加密"),
    ("data.encrypted", "learning data is encrypted", "学习数据加密"),
    ("operations.backup-drill", "a backup was restored lately", "近期做过恢复演练"),
    ("environment.vulnerable-packages", "no package with a published flaw", "软件包没有已公开的漏洞"),
    ("environment.hardening", "the machine gives no help", "主机不给攻击者便利"),
)


def text(en: str, zh: str | None = None) -> dict[str, str]:
    return {"en": en, "zh": zh or en}


def finding(
    rule: str, state: str, *, severity: str = "high", seen: str = "as it is", **more: Any
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "rule": rule,
        "state": state,
        "severity": severity,
        "subject": {"kind": "model", "name": "hardened", "digest": MODEL},
        "seen": text(seen, f"所见：{seen}"),
        "needed": text("what the policy asks for", "策略的要求"),
        "gain": text("reads what is not his", "读取不属于他的内容"),
        "evidence": [],
        "fix": [f"hauberk mend {rule}"] if state in ("failed", "unknown") else [],
        "names": NAMES,
        "figures": {},
        "excuse": None,
    }
    if state == "waived":
        fields["excuse"] = {
            "by": "security@bank", "reason": "until the new key is there", "until": "2026-03-01T00:00:00Z",
            "digest": "sha256:" + "e" * 64, "was": "failed",
        }  # fmt: skip
    return {**fields, **more}


def rule(name: str, en: str, zh: str, **more: Any) -> dict[str, Any]:
    fields = {
        "area": name.partition(".")[0],
        "title": text(en, zh),
        "explanation": text(f"Why {en}.", f"为何{zh}。"),
        "gain": text("reads what is not his", "读取不属于他的内容"),
        "names": NAMES,
        "parameters": {"least": {"unit": "share", "title": text("least accuracy", "最低正确率")}},
        "setting": {"severity": "high", "values": {"least": 0.4}},
    }
    return {**fields, **more}


def verdict(findings: list[dict[str, Any]], **more: Any) -> Evidence:
    """A verdict whose answer follows from its findings, unless ``passed`` says otherwise."""
    order = ("critical", "high", "medium", "low")
    fail_at = more.pop("fail_at", "medium")
    failing = [
        one for one in findings
        if one["state"] in ("failed", "unknown") and order.index(one["severity"]) <= order.index(fail_at)
    ]  # fmt: skip
    changed = more.pop("changed", [])
    right = bool([one for one in findings if one["state"] == "passed"]) and not failing and not changed
    states = ("failed", "unknown", "waived", "passed", "not-applicable")
    policy = {
        "name": "bank", "digest": "sha256:" + "a" * 64, "profile": "standard", "fail_at": fail_at,
        "waivers_at_most_days": 90,
    }  # fmt: skip
    result = {
        "passed": more.pop("passed", right),
        "counts": {state: sum(one["state"] == state for one in findings) for state in states},
        "findings": findings,
        "rules": {name: rule(name, en, zh) for name, en, zh in RULES} | more.pop("rules", {}),
        "waivers": more.pop("waivers", []),
        "refused": more.pop("refused", []),
        "models": [{"kind": "model", "name": "hardened", "digest": MODEL}],
        "changed": changed,
    }
    fields: dict[str, Any] = {
        "subject": {"name": more.pop("target", "hardened"), "digest": "sha256:" + "b" * 64, "kind": "package"},
        "inputs": {"policy": {"name": policy["name"], "digest": policy["digest"]}},
        "parameters": {"policy": more.pop("policy", policy)},
        "parents": tuple(dict.fromkeys(digest for one in findings for digest in one["evidence"])),
        "seed": None,
        "created": "2026-02-01T10:00:00Z",
    }
    return record("audit", "hardened", result, **{**fields, **more})


def mixed(evidence: str | None = None) -> list[dict[str, Any]]:
    """Every state, in several areas."""
    links = [evidence] if evidence else []
    return [
        finding("integrity.signature", "failed", severity="critical", seen="it is not signed"),
        finding("integrity.evidence", "passed"),
        finding("robustness.worst-case", "passed", seen="77.5 % right in the worst case", evidence=links),
        finding("robustness.corruptions", "unknown", severity="medium", seen="never measured"),
        finding("privacy.membership", "failed", seen="an advantage of 0.31"),
        finding("property.sealed", "waived", severity="medium"),
        finding("access.second-factor", "not-applicable"),
        finding("serving.tls", "not-applicable"),
        finding("data.encrypted", "failed", severity="low", seen="3 files lie in the clear"),
        finding("operations.backup-drill", "passed"),
        *(
            finding(
                "environment.vulnerable-packages", "failed", seen=f"{name} has 1 published flaw",
                subject={"kind": "environment", "name": name, "digest": "sha256:" + digit * 64},
            )
            for name, digit in (("torch 2.5.1", "1"), ("pillow 9.0", "2"))
        ),
        finding("environment.hardening", "passed"),
    ]  # fmt: skip


def good(evidence: str | None = None) -> list[dict[str, Any]]:
    return [
        {**one, "state": "passed" if one["state"] in ("failed", "unknown") else one["state"], "fix": []}
        for one in mixed(evidence)
    ]


WAIVERS = [
    {
        "file": "sealed.waiver", "digest": "sha256:" + "e" * 64, "standing": "counts", "by": "security@bank",
        "why": "", "rule": "property.sealed", "subject": MODEL, "reason": "until the new key is there",
        "issued": "2026-01-01T00:00:00Z", "until": "2026-03-01T00:00:00Z",
    },
    {
        "file": "forged.waiver", "digest": "sha256:" + "f" * 64, "standing": "not believed", "by": "",
        "why": "no key that the policy trusts has signed it", "rule": None, "subject": None, "reason": None,
        "issued": None, "until": None,
    },
]  # fmt: skip
REFUSED = [
    {
        "file": "better.json", "digest": "sha256:" + "9" * 64, "reason": "edited",
        "why": text("it was changed after it was written", "写成之后被改动过"),
    }
]  # fmt: skip
