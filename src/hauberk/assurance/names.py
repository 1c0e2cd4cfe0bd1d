"""What others call a threat: OWASP, MITRE, NIST, and the clauses of laws and standards that it bears on.

Clauses are pointers for whoever writes the paper, and no claim that a clause is met. A list is empty where the
source has no name for the threat: these lists know attacks on models, and not lost backups or old passwords.

Source: OWASP Machine Learning Security Top Ten (2023); MITRE ATLAS 2026.07, in which AML.T0020 got its present
name; NIST AI 100-2 E2025; Regulation (EU) 2024/1689, article 15; TC260's AI Safety Governance Framework 1.0
(2024); GB/T 45654-2025, which binds generative services to the public and is named for personal data alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from hauberk.core.errors import DataError


@dataclass(frozen=True)
class Names:
    """Names of one threat in five lists; any may be empty.

    Args:
        owasp: OWASP ML Top 10, such as ``ML01:2023 Input Manipulation Attack``.
        atlas: MITRE ATLAS techniques, such as ``AML.T0015 Evade AI Model``.
        nist: terms of NIST AI 100-2.
        eu: paragraphs of the EU AI Act's article 15.
        china: clauses of TC260's framework, and GB/T 45654.
    """

    owasp: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    nist: tuple[str, ...] = ()
    eu: tuple[str, ...] = ()
    china: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[str]]:
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, value: Any, *, where: str) -> Names:
        """Raises ``DataError``: not five lists of texts."""
        if not isinstance(value, dict) or value.keys() != {one.name for one in fields(cls)}:
            raise DataError(f"{where} must have the lists {', '.join(one.name for one in fields(cls))}")
        for name, texts in value.items():
            if not isinstance(texts, list) or not all(isinstance(one, str) for one in texts):
                raise DataError(f"{where}: '{name}' must be a list of texts")
        return cls(**{name: tuple(texts) for name, texts in value.items()})


_ACCURATE = "Art. 15(1) accuracy"
_DECLARED = "Art. 15(3) declared accuracy"
_ROBUST = "Art. 15(4) robustness"
_SECURE = "Art. 15(5) cybersecurity"
_GB_DATA = "GB/T 45654-2025 训练数据安全"
_TC260 = "TC260 人工智能安全治理框架 "
_STOLEN = _TC260 + "3.1.1 (d) 被窃取、篡改的风险"
_LEAKED = _TC260 + "3.1.2 (d) 数据泄露风险"
_FLAWED = _TC260 + "3.1.3 (a) 缺陷、后门被攻击利用风险"

EVASION = Names(
    ("ML01:2023 Input Manipulation Attack",),
    ("AML.T0015 Evade AI Model", "AML.T0043 Craft Adversarial Data"),
    ("Evasion attacks",),
    (_SECURE,),
    (_TC260 + "3.1.1 (f) 对抗攻击风险",),
)
ACCURACY = Names(eu=(_ACCURATE, _DECLARED))
FAULTS = Names(eu=(_ROBUST,), china=(_TC260 + "3.1.1 (c) 鲁棒性弱风险",))
POISONING = Names(
    ("ML02:2023 Data Poisoning Attack", "ML10:2023 Model Poisoning"),
    ("AML.T0020 Training Data Poisoning", "AML.T0018 Manipulate AI Model"),
    ("Poisoning attacks", "Backdoor poisoning"),
    (_SECURE,),
    (_TC260 + "3.1.2 (b) 训练数据含不当内容、被“投毒”风险",),
)
MEMBERSHIP = Names(
    ("ML04:2023 Membership Inference Attack",),
    ("AML.T0024.000 Infer Training Data Membership",),
    ("Membership inference",),
    (_SECURE,),
    (_LEAKED,),
)
PERSONAL = Names(nist=("Data privacy attacks",), eu=(_SECURE,), china=(_GB_DATA, _LEAKED))
STORED = Names(atlas=("AML.T0037 Data from Local System",), eu=(_SECURE,), china=(_LEAKED,))
THEFT = Names(
    ("ML05:2023 Model Theft",),
    ("AML.T0025 Exfiltration via Cyber Means", "AML.T0048.004 AI Intellectual Property Theft"),
    ("Privacy compromise",),
    (_SECURE,),
    (_STOLEN,),
)
EXTRACTION = Names(
    ("ML05:2023 Model Theft",),
    ("AML.T0024.002 Extract AI Model", "AML.T0048.004 AI Intellectual Property Theft"),
    ("Model extraction", "Query access"),
    (_SECURE,),
    (_STOLEN,),
)
SUPPLY = Names(
    ("ML06:2023 AI Supply Chain Attacks",),
    ("AML.T0010.001 AI Supply Chain Compromise: AI Software",),
    ("Supply chain attacks",),
    (_SECURE,),
    (_FLAWED,),
)
UNSAFE = Names(
    ("ML06:2023 AI Supply Chain Attacks",),
    ("AML.T0010.003 AI Supply Chain Compromise: Model", "AML.T0011.000 User Execution: Unsafe AI Artifacts"),
    ("Supply chain attacks",),
    (_SECURE,),
    (_FLAWED,),
)
TAMPERING = Names(
    ("ML06:2023 AI Supply Chain Attacks", "ML10:2023 Model Poisoning"),
    ("AML.T0010.003 AI Supply Chain Compromise: Model", "AML.T0018 Manipulate AI Model"),
    ("Model poisoning", "Supply chain attacks"),
    (_SECURE,),
    (_STOLEN,),
)
MACHINE = Names(eu=(_SECURE,), china=(_FLAWED,))
ACCESS = Names(
    atlas=("AML.T0012 Valid Accounts", "AML.T0055 Unsecured Credentials"), eu=(_SECURE,), china=(_LEAKED,)
)
TRAIL = Names(eu=(_SECURE,))
CHANNEL = Names(("ML09:2023 Output Integrity Attack",), eu=(_SECURE,), china=(_LEAKED,))
OVERLOAD = Names(
    (),
    ("AML.T0029 Denial of AI Service",),
    ("Availability breakdown",),
    (_SECURE,),
    (_TC260 + "3.1.3 (b) 算力安全风险",),
)
OPERATIONS = Names(eu=(_ROBUST,), china=(_TC260 + "6.3 (f) 数据备份和恢复计划",))
EVIDENCE = Names(eu=(_DECLARED,))
