"""Looking at foreign model files before anything loads them.

    from hauberk.protection.scan import scan

    found = scan("downloads/")
    found.clean, found.findings

A pickle is judged by a list of the names that tensors and arrays need; every other name is a finding. Archives,
Keras, ONNX, safetensors and NumPy files are read as their own readers read them, and a file that two kinds of
readers would accept is a finding too. ``to_sarif`` gives the result to code hosts.
"""

from __future__ import annotations

from hauberk.protection.scan.finding import Finding, Looked, Scan, Unread
from hauberk.protection.scan.job import Limits
from hauberk.protection.scan.rules import RULES, Rule
from hauberk.protection.scan.sarif import to_sarif
from hauberk.protection.scan.scanning import refuse, scan, scan_held

__all__ = [
    "RULES",
    "Finding",
    "Limits",
    "Looked",
    "Rule",
    "Scan",
    "Unread",
    "refuse",
    "scan",
    "scan_held",
    "to_sarif",
]
