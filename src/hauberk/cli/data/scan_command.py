from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common
from hauberk.cli.data.reading import reading_of, reading_options

if TYPE_CHECKING:
    from hauberk.privacy.text.scanning import Located

_FOUND = 1
_SAMPLES = 3


@click.command("scan", epilog="Example: hauberk data scan customers.csv notes/ --types NAME --types ID")
@click.argument("paths", metavar="FILE|DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--types", multiple=True, metavar="TYPE",
              help="Only this type, such as NAME or MOBILE; repeatable [default: all].")  # fmt: skip
@click.option("--language", multiple=True, metavar="LANG",
              help="Of names and addresses: zh, en; repeatable [default: both].")  # fmt: skip
@click.option("--own-patterns", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Your own patterns and word lists: TOML with [patterns] and [words].")  # fmt: skip
@click.option("--fail-on-findings", is_flag=True, help="Exit code 1 where anything is found.")
@reading_options
@common.json_option
def command(
    paths: tuple[Path, ...],
    types: tuple[str, ...],
    language: tuple[str, ...],
    own_patterns: Path | None,
    fail_on_findings: bool,
    as_json: bool,
    **reading: Any,
) -> int:
    """Find what tells about people in text, CSV, JSON and Parquet.

    With --json, one object a line for each finding, without the text that was found: line (from 1), start and
    end (characters of that line, end exclusive), type, score. Exit code 0 whatever is found: people in data
    are no failure of the data; for a gate, use --fail-on-findings.
    """
    from hauberk.privacy.text.detector import LANGUAGES, Detector
    from hauberk.privacy.text.scanning import read_own, scan_files

    patterns, words = read_own(own_patterns) if own_patterns is not None else ({}, {})
    detector = Detector(frozenset(types) or None, frozenset(language or LANGUAGES), patterns, words)
    found = scan_files(paths, detector, reading_of(**reading))
    several = len(paths) > 1 or paths[0].is_dir()
    count = _print_lines(found, several) if as_json else _print_summary(found, several)
    return _FOUND if count and fail_on_findings else 0


def _print_lines(found: Iterable[Located], several: bool) -> int:
    count = 0
    for one in found:
        click.echo(json.dumps(one.to_json(file=several), ensure_ascii=False))
        count += 1
    return count


def _print_summary(found: Iterable[Located], several: bool) -> int:
    """Counts and a few masked samples; what was found is never printed whole."""
    from hauberk.privacy.text.treat.treatment import masked

    counts: dict[str, int] = {}
    samples: dict[str, list[str]] = {}
    for one in found:
        type = one.finding.type
        counts[type] = counts.get(type, 0) + 1
        if len(shown := samples.setdefault(type, [])) < _SAMPLES:
            where = f"{one.file}:{one.place.line}" if several else f"line {one.place.line}"
            shown.append(f"{masked(type, one.text)} ({where})")
    for type in sorted(counts, key=lambda each: (-counts[each], each)):
        click.echo(f"{type:<12} {counts[type]:>8}  {'; '.join(samples[type])}")
    total = sum(counts.values())
    click.echo(f"{total} findings" if total else "nothing found")
    return total
