"""Files of text and tables, read in bounded memory with the place of every word, and written back as they were.

cell          one piece of text and where it stands
lines         lines of bounded length
plain, delimited, json_text    text, CSV, JSON: records, cells, and the way back
source        one file in chunks
columns       Parquet, column by column
folders       the files of a folder
"""

from __future__ import annotations

from hauberk.privacy.text.files.cell import Bare, Cell, Place
from hauberk.privacy.text.files.folders import files_of
from hauberk.privacy.text.files.lines import LONGEST_LINE
from hauberk.privacy.text.files.source import FORMATS, Chunk, Reading, Record, TextSource, open_source

__all__ = [
    "FORMATS",
    "LONGEST_LINE",
    "Bare",
    "Cell",
    "Chunk",
    "Place",
    "Reading",
    "Record",
    "TextSource",
    "files_of",
    "open_source",
]
