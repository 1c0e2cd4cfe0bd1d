"""Provinces and cities of China, which an address may begin with (GB/T 2260)."""

from __future__ import annotations

import re

from hauberk.privacy.text.tables import kinds

_LISTED = kinds("places.txt")
_NAMED = "|".join(sorted(dict.fromkeys([*_LISTED["province"], *_LISTED["city"]]), key=len, reverse=True))
_KINDS = "省|市|壮族自治区|回族自治区|维吾尔自治区|自治区|特别行政区|[\u4e00-\u9fff]{0,6}自治州|地区|盟|县"
# A city's name in the name of a road, a hotel or a railway station is no region.
REGION = re.compile(rf"(?:{_NAMED})(?:{_KINDS})?(?!东?西?南?北?中?[路街道]|大道|大街|银行|大学|站|大厦|饭店)")
