"""Addresses as they are written in English: a house number, a street, a flat, a town, a state, a code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from hauberk.privacy.text.finding import Finding

# Street suffixes of the United States Postal Service (Publication 28) that are no common words beside numbers.
_STREETS = (
    "Alley Aly Avenue Ave Bend Boulevard Blvd Branch Bluff Bluffs Bottom Bridge Brook Brooks Burg Burgs Bypass Camp Canyon Cape Causeway Centers Center Circle Circles Cir Cliff Cliffs Club Common Commons "
    "Corner Corners Course Courts Coves Court Ct Cove Creek Crescent Cres Crest Crossing Crossroad Curve Dale Dam Divide Drive Drives Dr Estate "
    "Estates Expressway Extension Fall Falls Ferry Field Fields Flat Flats Ford Fords Forest Forge Forges Fork Forks Fort Freeway "
    "Garden Gardens Gateway Glen Glens Green Greens Grove Groves Harbor Harbors Haven Heights Highway Hwy Hill Hills "
    "Hollow Inlet Island Islands Isle Junction Junctions Key Keys Knoll Knolls Lake Lakes Landing Lane Ln Land Light Lights "
    "Loaf Lock Locks Lodge Loop Mall Manor Manors Meadow Meadows Mews Mill Mills Mission Motorway Mount Mountain "
    "Mountains Neck Orchard Oval Overpass Park Parks Parkway Parkways Pkwy Pass Passage Path Pike Pine Pines Place Pl "
    "Plain Plains Plaza Point Points Port Ports Prairie Radial Ramp Ranch Rapid Rapids Rest Ridge Ridges River Road Rd "
    "Roads Route Row Rue Run Shoal Shoals Shore Shores Skyway Spring Springs Spur Spurs Square Squares Sq Station Stravenue "
    "Stravenue Stream Street St Streets Summit Terrace Ter Throughway Trace Track Trafficway Trail Trailer Trl Tunnel Turnpike Underpass "
    "Union Unions Valley Valleys Via Viaduct View Views Village Villages Ville Vista Walk Walks Wall Way Ways Well Wells"
).split()
_STATES = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA "
    "RI SC SD TN TX UT VT VA WA WV WI WY DC PR GU VI AS MP PW FM MH AA AE AP"
).split()
_CODE = r"(?: \d{5}(?:-\d{4})?| [A-Z]{1,2}\d[A-Z0-9]? ?\d[A-Z]{2}| [A-Z]\d[A-Z] ?\d[A-Z]\d)"
_TOWN = r"[A-Z][A-Za-z.'-]{1,24}(?: [A-Z][A-Za-z.'-]{1,24}){0,3}"
_FLAT = r"(?:,? {0,2}(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Room|Rm|Flat|#)\.? ?#?[A-Za-z0-9-]{1,8})?"
_REST = (
    rf"(?:,? {{0,2}}{_TOWN}(?:, ?(?:{'|'.join(_STATES)})(?![A-Za-z]){_CODE}?| (?:{'|'.join(_STATES)}){_CODE}|,? ?{_CODE})"
    rf"|, {_TOWN}(?=[.,;]|$))?"
)
_LANE = rf"(?:[A-Z0-9][A-Za-z0-9.'-]{{0,24}} ){{1,4}}(?:{'|'.join(_STREETS)})(?![A-Za-z])\.?(?: (?:North|South|East|West|[NSEW]{{1,2}})\b\.?)?"
_PATTERN = re.compile(
    rf"(?<![A-Za-z0-9_.-])\d{{1,6}}[A-Za-z]?(?:-\d{{1,4}})? {_LANE}{_FLAT}{_REST}"
    rf"|(?<![A-Za-z0-9_.-])(?:P\.? ?O\.? Box|Unit) \d{{1,6}}(?:,? {{0,2}}Box \d{{1,6}})?{_REST}"
    rf"|(?<![A-Za-z0-9_.-])(?:PSC \d{{1,5}}, Box \d{{1,6}}|US(?:NS|S|CGC|NV) [A-Z][a-z]{{1,20}}),? {{0,2}}(?:[AFD]PO),? (?:AA|AE|AP) \d{{5}}"
)


class EnglishAddresses:
    """Addresses of the United States and those written like them."""

    type = "ADDRESS"

    def find(self, text: str) -> Iterator[Finding]:
        for match in _PATTERN.finditer(text):
            end = match.end()
            while text[end - 1] in " ,.":
                end -= 1
            yield Finding(match.start(), end, self.type, 0.9)
