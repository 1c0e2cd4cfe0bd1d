"""A sheet to put small pictures and plain words on, with Pillow's own font: the same on every machine."""

from __future__ import annotations

from functools import cache
from typing import cast

from PIL import Image, ImageDraw, ImageFont

PAPER = (253, 252, 250)
INK = (32, 36, 43)
SOFT = (91, 99, 110)
BAD = (178, 60, 0)
GOOD = (0, 112, 79)
_RULE = (214, 210, 202)
_SPELT = str.maketrans({"×": "x", "→": ">", "∞": "inf", "–": "-", "…": "...", "“": '"', "”": '"', "’": "'"})


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def plain(text: str) -> str:
    """The text in the letters that the built-in font has; others become a question mark."""
    return "".join(one if " " <= one <= "~" else "?" for one in text.translate(_SPELT))


class Canvas:
    """An image of a given size; places are the upper left corner of what is put there."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def paste(self, picture: Image.Image, x: int, y: int) -> None:
        self.image.paste(picture, (x, y))
        self._draw.rectangle((x - 1, y - 1, x + picture.width, y + picture.height), outline=_RULE)

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        width: float,
        size: int = 14,
        colour: tuple[int, int, int] = INK,
        align: str = "middle",
    ) -> None:
        """One line inside ``width``, cut with dots where it is longer; ``align`` start, middle or end."""
        letters = font(size)
        line = _cut(plain(text), width, letters)
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[align] * (width - letters.getlength(line))
        self._draw.text((round(x + shift), y), line, fill=colour, font=letters)

    def rule(self, x0: int, x1: int, y: int) -> None:
        self._draw.line((x0, y, x1, y), fill=_RULE)


def _cut(text: str, width: float, letters: ImageFont.FreeTypeFont) -> str:
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(f"{text}..") > width:
        text = text[:-1]
    return f"{text.rstrip()}.."
