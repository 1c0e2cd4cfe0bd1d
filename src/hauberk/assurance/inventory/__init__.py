"""What a model is made of, as a CycloneDX ML-BOM: data, base models, libraries, hashes, licences, figures.

libraries   packages with licences and hashes, and who needs whom
card        the model card: architecture, data, figures from evidence
bom         the document, checked against CycloneDX's schema before it is handed out
"""

from hauberk.assurance.inventory.bom import SPECIFICATIONS, Specification, make_bom, ready
from hauberk.assurance.inventory.libraries import Library, locked, needed

__all__ = ["SPECIFICATIONS", "Library", "Specification", "locked", "make_bom", "needed", "ready"]
