"""Certificates: what no attack can do, shown sample by sample. Knows nothing of how a network was trained.

A further method is a ``Certifier`` (see ``record``) named in ``certify.CERTIFIERS``.
"""

from hauberk.evaluation.certify.certify import CERTIFIERS, Certification, certify, make_certifier
from hauberk.evaluation.certify.propagation import BestBounds, IntervalBounds, LinearBounds
from hauberk.evaluation.certify.record import Certificate, Certifier

__all__ = [
    "CERTIFIERS",
    "BestBounds",
    "Certificate",
    "Certification",
    "Certifier",
    "IntervalBounds",
    "LinearBounds",
    "certify",
    "make_certifier",
]
