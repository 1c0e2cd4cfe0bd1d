"""A file or a folder, all of it treated or nothing written: pieces go out to workers and come back in order.

What is written stands aside until all of it is there and on disk. A folder is one thing: when one of its files
cannot be treated, none appears.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hauberk.compute import Workers
from hauberk.core.canonical import digest
from hauberk.core.errors import ConfigError
from hauberk.core.files import directory_aside, file_aside, machine_errors, refuse_overwrite
from hauberk.core.progress import SILENT, Progress
from hauberk.privacy.text.files import Cell, Reading, TextSource, files_of
from hauberk.privacy.text.files.delimited import Delimited
from hauberk.privacy.text.files.parquet import ParquetSource
from hauberk.privacy.text.treat.tally import Tally
from hauberk.privacy.text.treat.work import Done, Job, Treats, work
from hauberk.privacy.text.treat.writing import Output, writing


@dataclass(frozen=True)
class TreatedFile:
    """One file, before and after.

    Args:
        name: as it is written, within the output.
        format: text, csv, json or parquet.
        encoding: of text, or None.
        before, after: ``sha256:<hex>`` of its bytes.
    """

    name: str
    format: str
    encoding: str | None
    size_bytes: int
    before: str
    after: str
    tally: Tally = field(repr=False)


def output_digest(files: Sequence[TreatedFile]) -> str:
    """Of one file its own; of several, over their names and digests."""
    return files[0].after if len(files) == 1 else digest([[one.name, one.after] for one in files])


def input_digest(files: Sequence[TreatedFile]) -> str:
    """The same of what was read; names are left aside, since they may tell about people."""
    return files[0].before if len(files) == 1 else digest([one.before for one in files])


class Run:
    """All files of a source on their way through workers.

    Args:
        treats: the treatment, for names of files and rules of columns.
        shared: what workers get; ``treats`` itself in this process.
        skip: patterns of files in a folder that are left out.
        mode: of the files that are written.
        take: gets each piece's tally, in order.
        finish: called when all is written and nothing visible yet; what it raises leaves nothing behind.

    Raises:
        ConfigError: the output would go over the input, into it, or over something else.
        DataError: there is nothing to treat.
    """

    def __init__(
        self,
        source: Path,
        out: Path,
        reading: Reading,
        workers: Workers,
        treats: Treats,
        shared: bytes | Treats,
        *,
        skip: Sequence[str] = (),
        overwrite: bool = False,
        mode: int = 0o644,
        take: Callable[[Tally], None] = lambda tally: None,
        finish: Callable[[], None] = lambda: None,
        progress: Progress = SILENT,
    ) -> None:
        _check_paths(source, out, overwrite=overwrite)
        self._source, self._out, self._reading, self._workers = source, out, reading, workers
        self._treats, self._shared, self._take, self._finish = treats, shared, take, finish
        self._progress, self._mode = progress, mode
        self._inputs = files_of(source, skip)
        self._opened: dict[int, TextSource | ParquetSource] = {}
        self.columns: set[str] = set()

    def carry_out(self) -> list[TreatedFile]:
        """Treat everything and put it in place.

        Raises:
            DataError: a file that cannot be read or treated; nothing is written.
            EnvironmentFailure: the disk is full or not writable; nothing is left behind.
        """
        self._progress.begin("treating", max(1, sum(path.stat().st_size for path, _inner in self._inputs)))
        if self._source.is_dir():
            names = self._names()
            with directory_aside(self._out) as folder:
                done = self._write(names, lambda number: _made(folder / names[number], self._mode))
                self._finish()
        else:
            with file_aside(self._out, mode=self._mode) as handle:
                done = self._write([self._out.name], lambda number: _of(handle))
                self._finish()
        self._progress.end()
        return done

    def _write(self, names: Sequence[str], target: Callable[[int], BinaryIO]) -> list[TreatedFile]:
        done: list[TreatedFile] = []
        pieces = _in_order(self._workers.map(work, self._jobs(), shared=self._shared))
        piece = next(pieces, None)
        for number, (path, _inner) in enumerate(self._inputs):
            tally = Tally()
            source = self._open(number, path)
            with machine_errors("write", self._out), target(number) as file:
                out = Output(file)
                with writing(source, self._treats.rule, out) as write:
                    while piece is not None and piece.file == number:
                        write(piece.data)
                        self._take(piece.tally)
                        piece.tally.tokens.clear()
                        tally.add(piece.tally)
                        piece = next(pieces, None)
            self.columns |= tally.seen
            self._progress.advance(path.stat().st_size)
            done.append(_treated(names[number], source, out, tally))
        return done

    def _jobs(self) -> Iterator[Job]:
        for number, (path, inner) in enumerate(self._inputs):
            opened = self._open(number, path)
            if isinstance(opened, TextSource):
                for chunk in opened.chunks():
                    yield Job(number, str(inner), chunk, opened.file.encoding)
            else:
                schema = opened.schema(self._treats.rule).serialize().to_pybytes()
                for table in opened.chunks():
                    yield Job(number, str(inner), table, schema)

    def _open(self, number: int, path: Path) -> TextSource | ParquetSource:
        """Each file once, as the jobs come to it; writing comes behind."""
        if number not in self._opened:
            if self._reading.format_of(path) == "parquet":
                table = ParquetSource.of(path)
                self.columns.update(table.columns)
                self._opened[number] = table
            else:
                text = self._reading.open(path)
                if isinstance(text.layout, Delimited):
                    self.columns.update(text.layout.columns)
                self._opened[number] = text
        return self._opened[number]

    def _names(self) -> list[str]:
        """Paths within the output: names of files and folders can tell about people too."""
        names: dict[str, None] = {}
        for _path, inner in self._inputs:
            *folders, file = inner.parts
            stem, suffix = PurePosixPath(file).stem, PurePosixPath(file).suffix
            within = "".join(f"{self._name(one)}/" for one in folders)
            fresh, number = self._name(stem), 2
            name = f"{within}{fresh}{suffix}"
            while name in names:
                name, number = f"{within}{fresh}-{number}{suffix}", number + 1
            names[name] = None
        return list(names)

    def _name(self, part: str) -> str:
        texts, _tally = self._treats.treat([[Cell(part, 0)]], "")
        return (texts[0][0] or "_").replace("/", "_")


def _check_paths(source: Path, out: Path, *, overwrite: bool) -> None:
    here, there = source.resolve(), out.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise ConfigError(f"{out} is {source}, lies in it or holds it", hint="choose another --out")
    refuse_overwrite(out, force=overwrite)


def _made(path: Path, mode: int) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _of(handle: int) -> BinaryIO:
    return os.fdopen(handle, "wb", closefd=False)


def _in_order(results: Iterator[tuple[int, Done]]) -> Iterator[Done]:
    waiting: dict[int, Done] = {}
    number = 0
    for at, one in results:
        waiting[at] = one
        while number in waiting:
            yield waiting.pop(number)
            number += 1


def _treated(name: str, source: TextSource | ParquetSource, out: Output, tally: Tally) -> TreatedFile:
    if isinstance(source, TextSource):
        kind, encoding, before = source.layout.name, source.file.codec, source.file.digest
    else:
        kind, encoding, before = "parquet", None, source.digest
    return TreatedFile(name, kind, encoding, out.size_bytes, before, out.digest, tally)
