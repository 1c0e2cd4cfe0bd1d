from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Literal

import click

from hauberk.cli import common


@click.command("report", epilog="Example: hauberk report runs/quickstart --lang zh --out report.zh.html")
@click.argument("sources", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="[default: report.html beside the first PATH; - for standard output]")  # fmt: skip
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--title", default=None)
@click.option(
    "--pictures", type=click.Path(path_type=Path), default=None, metavar="DIR", help="Also write PNG and SVG."
)
@common.json_option
def command(
    sources: tuple[Path, ...],
    out: Path | None,
    lang: Literal["en", "zh"],
    title: str | None,
    pictures: Path | None,
    as_json: bool,
) -> None:
    """Turn evidence (files, folders, runs, packages) into one self-contained HTML page, or JSON."""
    from hauberk import reports
    from hauberk.core.evidence import Evidence
    from hauberk.core.files import write_atomic

    documents = [Evidence.load(path) for source in sources for path in _files(source)]
    ordered = sorted({one.digest: one for one in documents}.values(), key=lambda one: one.created)
    if pictures is not None:
        for path in reports.save_pictures(ordered, pictures):
            common.say(f"picture: {path}")
    if as_json:
        text = json.dumps(reports.render_json(ordered), indent=1, ensure_ascii=False)
    else:
        words = ["hauberk", "report", *map(str, sources), "--lang", lang]
        words += ["--title", title] if title is not None else []
        words += ["--out", str(out)] if out is not None else []
        text = reports.render_html(ordered, lang=lang, title=title, command=shlex.join(words))
    if str(out) == "-" or (as_json and out is None):
        click.echo(text)
        return
    target = out or (sources[0] if sources[0].is_dir() else sources[0].parent) / "report.html"
    write_atomic(target, text.encode())
    click.echo(str(target))


def _files(source: Path) -> list[Path]:
    """Evidence files of a file, a run's folder, a package or an evidence folder."""
    from hauberk.core.errors import DataError

    if source.is_file():
        return [source]
    if not source.exists():
        raise DataError(f"nothing at {source}")
    folder = source / "evidence" if (source / "evidence").is_dir() else source
    found = [path for path in sorted(folder.glob("*.json")) if path.name not in ("run.json", "report.json")]
    if not found:
        raise DataError(f"no evidence in {folder}", hint="hauberk evaluate leaves some")
    return found
