"""Pictures as files: a grid for each model, the story for a README, the charts as SVG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.reports.canvas import BAD, GOOD, INK, SOFT, Canvas
from hauberk.reports.figures import files
from hauberk.reports.images import amplification, enlarge, perturbation, picture, png
from hauberk.reports.summary import summarize
from hauberk.reports.views import Model, Sample, Single, Summary
from hauberk.reports.words import Lang, Words

_GAP = 18  # px between cells
_LINE = 22  # px of a line of text
_EDGE = 24  # px around the sheet
_HEADING = 46  # px of a sheet's first line
_ROWS = 150  # px for the names of the rows
_STORY = 6  # examples in the story


def save_pictures(evidence: Sequence[Evidence], folder: str | Path, *, lang: Lang = "en") -> list[Path]:
    """Write the report's pictures into ``folder``.

    ``grid-<model>.png``: original, perturbation and attacked image in three rows, with what the model reads.
    ``story.png``: up to six samples as they are, attacked on the first model, attacked on the most robust of
    the others (only samples that are in both galleries, so that each column is one image throughout).
    ``curves.svg``, ``training.svg``, ``queries.svg``, ``extraction.svg``, ``detection.svg`` and
    ``membership.svg``: the charts.
    What has no evidence is not written.

    Args:
        evidence: as for ``render_html``.
        folder: made when it does not exist; files of the same names are replaced.
        lang: of the words in the SVG files. PNG files are in English: the font that comes with Pillow has no
            Chinese, and letters it lacks are drawn as question marks.

    Returns:
        The files written, story first.

    Raises:
        UnknownName: no such language.
        DataError: no evidence, or a document that does not fit its schema.
        EnvironmentFailure: the folder cannot be written.
    """
    words = Words(lang)
    summary = summarize(evidence)
    folder = Path(folder)
    story = _story(summary)
    found: dict[str, bytes] = {} if story is None else {"story.png": png(story)}
    for part in summary.examined:
        if part.gallery:
            found[_file_name(part.name, found)] = png(_grid(part))
    found |= {name: text.encode() for name, text in files(summary, words).items()}
    return [write_atomic(folder / name, data) for name, data in found.items()]


def _file_name(name: str, taken: dict[str, bytes]) -> str:
    """``grid-<name>.png`` from any name: letters, digits and hyphens only, a number where it is taken."""
    stem = f"grid-{re.sub(r'[^A-Za-z0-9_]+', '-', name).strip('-')[:60] or 'model'}"
    names = (f"{stem}.png", *(f"{stem}-{number}.png" for number in range(2, len(taken) + 3)))
    return next(one for one in names if one not in taken)


def _cell(gallery: Sequence[Sample]) -> int:
    """The width that every picture of a gallery fits into."""
    return max(max(enlarge(picture(sample.original)).size) for sample in gallery)


class _Sheet:
    """Rows of pictures with a line under each, names of rows at the left, a heading above."""

    def __init__(self, columns: int, rows: int, cell: int, heading: str) -> None:
        self.cell, self.step = cell, cell + _LINE + _GAP
        width = 2 * _EDGE + _ROWS + columns * (cell + _GAP) - _GAP
        self.canvas = Canvas(width, _EDGE + _HEADING + rows * self.step)
        self.canvas.write(heading, _EDGE, _EDGE - 4, width=width - 2 * _EDGE, size=20, align="start")

    def name(self, row: int, lines: Sequence[str]) -> None:
        top = self._top(row) + self.cell / 2 - 11 * len(lines)
        for index, line in enumerate(lines):
            colour = SOFT if index else INK
            self.canvas.write(
                line, _EDGE, top + 22 * index, width=_ROWS - _GAP, size=15, colour=colour, align="start"
            )

    def put(
        self, row: int, column: int, image: Image.Image, text: str, colour: tuple[int, int, int] = SOFT
    ) -> None:
        x, y = _EDGE + _ROWS + column * (self.cell + _GAP), self._top(row)
        shown = enlarge(image)
        self.canvas.paste(shown, x + (self.cell - shown.width) // 2, y + (self.cell - shown.height) // 2)
        room = self.cell + _GAP - 4
        self.canvas.write(text, x - _GAP / 2 + 2, y + self.cell + 3, width=room, colour=colour)

    def _top(self, row: int) -> int:
        return _EDGE + _HEADING + row * self.step


def _grid(part: Model | Single) -> Image.Image:
    """Original, perturbation and attacked image of one model's gallery."""
    factor = amplification(part.gallery)
    sheet = _Sheet(len(part.gallery), 3, _cell(part.gallery), part.name)
    for row, lines in enumerate((["original"], ["perturbation", f"x {factor:g}"], ["attacked"])):
        sheet.name(row, lines)
    for column, sample in enumerate(part.gallery):
        distance = "" if sample.distance is None else f"{sample.distance:.3g}"
        sheet.put(0, column, picture(sample.original), *_read(sample, sample.clean_prediction))
        sheet.put(1, column, perturbation(sample, factor), distance)
        sheet.put(2, column, picture(sample.adversarial), *_read(sample, sample.prediction))
    return sheet.canvas.image


def _read(sample: Sample, prediction: str) -> tuple[str, tuple[int, int, int]]:
    """What the model says to it, in green where that is right."""
    return f"reads {prediction}", GOOD if prediction == sample.label else BAD


def _story(summary: Summary) -> Image.Image | None:
    """The samples that tell most: broken on the first model, best held by the hardened one."""
    with_pictures = [model for model in summary.models if model.gallery]
    if not with_pictures:
        return None
    first = with_pictures[0]
    rest = [model for model in with_pictures[1:] if model.threat == first.threat and _shared(first, model)]
    hardened = max(rest, key=lambda model: model.robust, default=None)
    if hardened is None:
        return _draw_story(first, None, [(sample, None) for sample in _telling(first)][:_STORY])
    pairs = _shared(first, hardened)
    pairs.sort(key=lambda pair: (not pair[0].fooled, pair[1].fooled))
    return _draw_story(first, hardened, list(pairs[:_STORY]))


def _telling(model: Model) -> list[Sample]:
    return sorted(model.gallery, key=lambda sample: not sample.fooled)


def _shared(first: Model, second: Model) -> list[tuple[Sample, Sample]]:
    """The samples in both galleries; the same index must also be the same image."""
    others = {sample.index: sample for sample in second.gallery}
    pairs = [(one, others[one.index]) for one in first.gallery if one.index in others]
    return [(a, b) for a, b in pairs if np.array_equal(a.original, b.original)]


def _draw_story(
    first: Model, hardened: Model | None, pairs: Sequence[tuple[Sample, Sample | None]]
) -> Image.Image:
    columns = [one for one, _ in pairs]
    sheet = _Sheet(len(pairs), 2 if hardened is None else 3, _cell(columns), _heading(first))
    sheet.name(0, ["as it is", first.name])
    sheet.name(1, ["attacked", first.name, f"{100 * first.robust:.1f} % hold"])
    if hardened is not None:
        sheet.name(2, ["attacked", hardened.name, f"{100 * hardened.robust:.1f} % hold"])
    for column, (one, other) in enumerate(pairs):
        sheet.put(0, column, picture(one.original), *_read(one, one.clean_prediction))
        sheet.put(1, column, picture(one.adversarial), *_read(one, one.prediction))
        if other is not None:
            sheet.put(2, column, picture(other.adversarial), *_read(other, other.prediction))
    return sheet.canvas.image


def _heading(model: Model) -> str:
    return f"The same images under attack ({model.threat.norm}, eps {model.threat.eps:.4g})"
