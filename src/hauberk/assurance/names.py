"""What others call a threat: OWASP, MITRE, NIST, and the clauses of laws and standards that it bears on.

Clauses are pointers for whoever writes the paper, and no claim that a clause is met. Sources: OWASP Machine
Learning Security Top Ten (2023), MITRE ATLAS, NIST AI 100-2 E2025, Regulation (EU) 2024/1689 article 15,
GB/T 45654-2025, TC260's AI Safety Governance Framework 1.0 (2024).
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
        china: clauses of GB/T 45654 and of TC260's framework.
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


_ROBUST = "Art. 15(4) robustness"
_SECURE = "Art. 15(5) cybersecurity"
_GB_DATA = "GB/T 45654-2025 训练数据安全要求"
_GB_MODEL = "GB/T 45654-2025 模型安全要求"
_GB_MEASURES = "GB/T 45654-2025 安全措施要求"

EVASION = Names(
    ("ML01:2023 Input Manipulation Attack",),
    ("AML.T0015 Evade AI Model", "AML.T0043 Craft Adversarial Data"),
    ("Evasion attacks",),
    (_ROBUST, _SECURE),
    (_GB_MODEL, "TC260 人工智能安全治理框架 3.1.1 (f) 对抗攻击风险"),
)
FAULTS = Names(
    ("ML08:2023 Model Skewing",),
    ("AML.T0031 Erode AI Model Integrity",),
    ("Availability breakdown",),
    (_ROBUST,),
    (_GB_MODEL, "TC260 人工智能安全治理框架 3.1.1 (c) 鲁棒性弱风险"),
)
POISONING = Names(
    ("ML02:2023 Data Poisoning Attack", "ML10:2023 Model Poisoning"),
    ("AML.T0020 Poison Training Data", "AML.T0018 Manipulate AI Model"),
    ("Poisoning attacks", "Backdoor poisoning"),
    (_SECURE,),
    (_GB_DATA, "TC260 人工智能安全治理框架 3.1.2 (b) 训练数据被投毒风险"),
)
MEMBERSHIP = Names(
    ("ML04:2023 Membership Inference Attack",),
    ("AML.T0024.000 Infer Training Data Membership",),
    ("Membership inference",),
    (_SECURE,),
    (_GB_DATA, "TC260 人工智能安全治理框架 3.1.2 (d) 数据泄露风险"),
)
INVERSION = Names(
    ("ML03:2023 Model Inversion Attack",),
    ("AML.T0024.001 Invert AI Model",),
    ("Data reconstruction",),
    (_SECURE,),
    (_GB_DATA, "TC260 人工智能安全治理框架 3.1.2 (d) 数据泄露风险"),
)
PERSONAL = Names(
    ("ML03:2023 Model Inversion Attack",),
    ("AML.T0037 Data from Local System",),
    ("Data privacy attacks",),
    (_SECURE,),
    (_GB_DATA, "TC260 人工智能安全治理框架 3.1.2 (a) 违规收集使用数据风险"),
)
THEFT = Names(
    ("ML05:2023 Model Theft",),
    ("AML.T0024.002 Extract AI Model", "AML.T0048.004 AI Intellectual Property Theft"),
    ("Model extraction",),
    (_SECURE,),
    (_GB_MODEL, "TC260 人工智能安全治理框架 3.1.1 (d) 被窃取、被篡改的风险"),
)
SUPPLY = Names(
    ("ML06:2023 AI Supply Chain Attacks",),
    ("AML.T0010 AI Supply Chain Compromise",),
    ("Supply chain attacks",),
    (_SECURE,),
    (_GB_MODEL, "TC260 人工智能安全治理框架 3.1.3 (c) 供应链安全风险"),
)
TAMPERING = Names(
    ("ML06:2023 AI Supply Chain Attacks", "ML10:2023 Model Poisoning"),
    ("AML.T0010.003 AI Supply Chain Compromise: Model", "AML.T0018 Manipulate AI Model"),
    ("Model poisoning", "Supply chain attacks"),
    (_SECURE,),
    (_GB_MODEL, "TC260 人工智能安全治理框架 3.1.1 (d) 被窃取、被篡改的风险"),
)
ACCESS = Names(
    ("ML05:2023 Model Theft",),
    ("AML.T0012 Valid Accounts", "AML.T0055 Unsecured Credentials"),
    ("Privacy compromise",),
    (_SECURE,),
    (_GB_MEASURES, "TC260 人工智能安全治理框架 3.1.3 (a) 缺陷、后门被攻击利用风险"),
)
SERVING = Names(
    ("ML05:2023 Model Theft", "ML01:2023 Input Manipulation Attack"),
    ("AML.T0040 AI Model Inference API Access", "AML.T0029 Denial of AI Service"),
    ("Query access", "Availability breakdown"),
    (_SECURE,),
    (_GB_MEASURES, "TC260 人工智能安全治理框架 3.1.3 (a) 缺陷、后门被攻击利用风险"),
)
OPERATIONS = Names(
    (),
    ("AML.T0029 Denial of AI Service",),
    ("Availability breakdown",),
    (_ROBUST,),
    (_GB_MEASURES,),
)
EVIDENCE = Names(
    ("ML09:2023 Output Integrity Attack",),
    ("AML.T0031 Erode AI Model Integrity",),
    ("Integrity violation",),
    ("Art. 15(3) declared accuracy", _SECURE),
    (_GB_MEASURES,),
)
