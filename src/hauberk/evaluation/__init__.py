"""Runs attacks, judges every candidate itself, and writes down what it saw. Knows nothing of defences."""

from hauberk.core.intervals import wilson
from hauberk.evaluation.board import AttackRow, Carried, Verdict
from hauberk.evaluation.cascade import Stage
from hauberk.evaluation.certify import Certificate, Certification, Certifier, certify
from hauberk.evaluation.curves import accuracy_curve, radii_up_to
from hauberk.evaluation.evaluate import Evaluation, evaluate
from hauberk.evaluation.judge import Judgement, judge
from hauberk.evaluation.single import AttackReport, attack_report, towards
from hauberk.evaluation.standard import standard_cascade

__all__ = [
    "AttackReport",
    "AttackRow",
    "Carried",
    "Certificate",
    "Certification",
    "Certifier",
    "Evaluation",
    "Judgement",
    "Stage",
    "Verdict",
    "accuracy_curve",
    "attack_report",
    "certify",
    "evaluate",
    "judge",
    "radii_up_to",
    "standard_cascade",
    "towards",
    "wilson",
]
