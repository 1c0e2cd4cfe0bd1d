"""What the site does differently from the repository: links that lead out of ``docs`` become plain words.

``[benchmarks](../benchmarks/README.md)`` works where the repository is browsed; the site has no such page and
says which file is meant.
"""

from __future__ import annotations

import re
from typing import Any

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<up>(?:\.\./)+)(?P<path>[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """A page's text for the site.

    Args:
        page: MkDocs' own; its place says how many steps up leave ``docs``.
    """
    depth = page.file.src_uri.count("/") + 1

    def plain(found: re.Match[str]) -> str:
        if found["up"].count("../") < depth:
            return found[0]
        return f"{found['text']} (`{found['path']}`)"

    return _LINK.sub(plain, markdown)
