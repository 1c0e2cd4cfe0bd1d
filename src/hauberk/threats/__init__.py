"""What an attacker may do: geometries, bounds, knowledge and budget, and each sample's random stream."""

from hauberk.threats.bounds import Bounds
from hauberk.threats.geometry import GEOMETRIES, L0, L1, L2, Geometry, Linf
from hauberk.threats.model import Knowledge, ThreatModel, geometry
from hauberk.threats.streams import Streams

__all__ = [
    "GEOMETRIES",
    "L0",
    "L1",
    "L2",
    "Bounds",
    "Geometry",
    "Knowledge",
    "Linf",
    "Streams",
    "ThreatModel",
    "geometry",
]
