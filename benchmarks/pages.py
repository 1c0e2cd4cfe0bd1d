"""Where the benchmarks' tables stand: between two comments of a page, which a run replaces."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).parent / "README.md"


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between ``<!-- name: begin -->`` and ``<!-- name: end -->``.

    Raises:
        ValueError: the page lacks one of them.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    whole = page.read_text("utf-8")
    if begin not in whole or end not in whole:
        raise ValueError(f"{page} has no place named {name!r}")
    before, _, rest = whole.partition(begin)
    page.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}", "utf-8")
