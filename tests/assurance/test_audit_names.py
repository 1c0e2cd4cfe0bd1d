"""Names that others have for threats, written out a second time from the sources themselves.

OWASP's repository (docs/ML01_2023 to ML10_2023), ATLAS's techniques (data of 2025 and the notes of 2026.07,
which gave AML.T0020 another name), the terms of NIST AI 100-2 E2025, the paragraphs of article 15, and the
headings of TC260's framework 1.0 (chapters 3.1 and 6.3).
"""

from __future__ import annotations

import pytest

from hauberk.assurance.catalogue import CATALOGUE
from hauberk.assurance.rule import Rule

OWASP = {
    "ML01:2023": "Input Manipulation Attack",
    "ML02:2023": "Data Poisoning Attack",
    "ML03:2023": "Model Inversion Attack",
    "ML04:2023": "Membership Inference Attack",
    "ML05:2023": "Model Theft",
    "ML06:2023": "AI Supply Chain Attacks",
    "ML07:2023": "Transfer Learning Attack",
    "ML08:2023": "Model Skewing",
    "ML09:2023": "Output Integrity Attack",
    "ML10:2023": "Model Poisoning",
}
ATLAS = {
    "AML.T0010.001": "AI Supply Chain Compromise: AI Software",
    "AML.T0010.003": "AI Supply Chain Compromise: Model",
    "AML.T0011.000": "User Execution: Unsafe AI Artifacts",
    "AML.T0012": "Valid Accounts",
    "AML.T0015": "Evade AI Model",
    "AML.T0018": "Manipulate AI Model",
    "AML.T0020": "Training Data Poisoning",
    "AML.T0024.000": "Infer Training Data Membership",
    "AML.T0024.002": "Extract AI Model",
    "AML.T0025": "Exfiltration via Cyber Means",
    "AML.T0029": "Denial of AI Service",
    "AML.T0037": "Data from Local System",
    "AML.T0043": "Craft Adversarial Data",
    "AML.T0048.004": "AI Intellectual Property Theft",
    "AML.T0055": "Unsecured Credentials",
}
NIST = {
    "Availability breakdown", "Backdoor poisoning", "Data privacy attacks", "Evasion attacks",
    "Membership inference", "Model extraction", "Model poisoning", "Poisoning attacks", "Privacy compromise",
    "Query access", "Supply chain attacks",
}  # fmt: skip
ARTICLE_15 = {"(1)": "accuracy", "(3)": "declared accuracy", "(4)": "robustness", "(5)": "cybersecurity"}
TC260 = {
    "3.1.1 (c)": "鲁棒性弱风险",
    "3.1.1 (d)": "被窃取、篡改的风险",
    "3.1.1 (f)": "对抗攻击风险",
    "3.1.2 (b)": "训练数据含不当内容、被“投毒”风险",
    "3.1.2 (d)": "数据泄露风险",
    "3.1.3 (a)": "缺陷、后门被攻击利用风险",
    "3.1.3 (b)": "算力安全风险",
    "6.3 (f)": "数据备份和恢复计划",
}
CHINA = {f"TC260 人工智能安全治理框架 {place} {title}" for place, title in TC260.items()} | {
    "GB/T 45654-2025 训练数据安全"
}
KNOWN = {
    "owasp": {f"{one} {title}" for one, title in OWASP.items()},
    "atlas": {f"{one} {title}" for one, title in ATLAS.items()},
    "nist": NIST,
    "eu": {f"Art. 15{paragraph} {title}" for paragraph, title in ARTICLE_15.items()},
    "china": CHINA,
}
ATTACKS = {
    "robustness.worst-case": {"ML01:2023", "AML.T0015", "AML.T0043"},
    "robustness.clean": set(),
    "robustness.certified": {"ML01:2023", "AML.T0015", "AML.T0043"},
    "robustness.flags": {"ML01:2023", "AML.T0015", "AML.T0043"},
    "robustness.corruptions": set(),
    "robustness.fresh": set(),
    "integrity.package": {"ML06:2023", "ML10:2023", "AML.T0010.003", "AML.T0018"},
    "integrity.evidence": set(),
    "integrity.signature": {"ML06:2023", "ML10:2023", "AML.T0010.003", "AML.T0018"},
    "integrity.ledger": set(),
    "integrity.scan": {"ML06:2023", "AML.T0010.003", "AML.T0011.000"},
    "integrity.provenance": {"ML02:2023", "ML10:2023", "AML.T0018", "AML.T0020"},
    "integrity.backdoor": {"ML02:2023", "ML10:2023", "AML.T0018", "AML.T0020"},
    "privacy.membership": {"ML04:2023", "AML.T0024.000"},
    "privacy.epsilon": {"ML04:2023", "AML.T0024.000"},
    "privacy.deidentified": set(),
    "privacy.anonymous": set(),
    "property.sealed": {"ML05:2023", "AML.T0025", "AML.T0048.004"},
    "property.watermark": {"ML05:2023", "AML.T0025", "AML.T0048.004"},
    "property.traceable": {"ML05:2023", "AML.T0025", "AML.T0048.004"},
    "access.stale-keys": {"AML.T0012", "AML.T0055"},
    "access.wide-roles": {"AML.T0012", "AML.T0055"},
    "access.second-factor": {"AML.T0012", "AML.T0055"},
    "access.four-eyes": {"AML.T0012", "AML.T0055"},
    "access.trail": set(),
    "access.files": {"AML.T0012", "AML.T0055"},
    "serving.reachable": {"AML.T0029"},
    "serving.tls": {"ML09:2023"},
    "serving.callers": {"ML05:2023", "AML.T0024.002", "AML.T0048.004"},
    "serving.guard": {"ML05:2023", "AML.T0024.002", "AML.T0048.004"},
    "serving.limits": {"AML.T0029"},
    "serving.alerts": {"ML05:2023", "AML.T0024.002", "AML.T0048.004"},
    "data.encrypted": {"AML.T0037"},
    "data.budgets": set(),
    "operations.backup-drill": set(),
    "operations.retention": set(),
    "environment.vulnerable-packages": {"ML06:2023", "AML.T0010.001"},
    "environment.advisories-fresh": {"ML06:2023", "AML.T0010.001"},
    "environment.pinned": {"ML06:2023", "AML.T0010.001"},
    "environment.hardening": set(),
    "environment.file-rights": {"ML06:2023", "ML10:2023", "AML.T0010.003", "AML.T0018"},
    "environment.secrets-in-files": {"AML.T0012", "AML.T0055"},
}


@pytest.mark.parametrize("rule", CATALOGUE, ids=lambda one: one.id)
def test_every_name_stands_in_its_source(rule: Rule) -> None:
    for source, names in rule.names.to_json().items():
        assert set(names) <= KNOWN[source], source


def test_each_rule_points_at_its_own_attack() -> None:
    said = {
        one.id: {name.partition(" ")[0] for name in (*one.names.owasp, *one.names.atlas)} for one in CATALOGUE
    }
    assert said == ATTACKS


def test_no_rule_is_without_a_pointer() -> None:
    assert [one.id for one in CATALOGUE if not one.names.eu] == []
