"""Words of the page of evaluations, and the names of kinds of evidence, as reports have them."""

from __future__ import annotations

from hauberk.reports.words_en import ENGLISH as REPORTS_ENGLISH
from hauberk.reports.words_zh import CHINESE as REPORTS_CHINESE


def _kinds(words: dict[str, str]) -> dict[str, str]:
    return {key: text for key, text in words.items() if key.startswith("kind.")}


ENGLISH: dict[str, str] = {
    **_kinds(REPORTS_ENGLISH),
    "evaluations.nav": "Evaluations",
    "evaluations.title": "Evaluations",
    "evaluations.lead": "Everything that was measured of a version and came with it into the vault.",
    "evaluations.none": "Nothing was measured yet of what you may see.",
    "evaluations.start": "Evaluate a package; what is found is kept with the version that is pushed:",
    "evaluations.report": "Report on {version}",
    "evaluations.worst": "right under attack",
    "evaluations.clean": "right without attack",
    "evaluations.samples.one": "{n} sample",
    "evaluations.samples.other": "{n} samples",
    "evaluations.threat": "threat {threat}",
    "evaluations.no_figures": "No evaluation under attack is among it.",
    "report.title": "Report",
}

CHINESE: dict[str, str] = {
    **_kinds(REPORTS_CHINESE),
    "evaluations.nav": "评估",
    "evaluations.title": "评估",
    "evaluations.lead": "随各版本存入保险库的全部测量结果。",
    "evaluations.none": "您可以查看的内容中还没有测量结果。",
    "evaluations.start": "先评估模型包，结果会随存入的版本一起保存：",
    "evaluations.report": "{version} 的报告",
    "evaluations.worst": "受攻击时正确",
    "evaluations.clean": "无攻击时正确",
    "evaluations.samples.one": "样本数 {n}",
    "evaluations.samples.other": "样本数 {n}",
    "evaluations.threat": "威胁 {threat}",
    "evaluations.no_figures": "其中没有受攻击情况下的评估。",
    "report.title": "报告",
}
