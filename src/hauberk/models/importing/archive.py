"""Files from elsewhere, looked at before anything reads them: kind, sizes, and what their pickles call."""

from __future__ import annotations

import io
import json
import pickletools
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError

LARGEST_ENTRY = 8 << 30  # bytes; larger than any network this package is for
LARGEST_RATIO = 200  # weights hardly shrink; a bomb shrinks a thousandfold
_SMALL = 1 << 20  # an entry of a megabyte does no harm, however well it was compressed

ACCEPTED = (
    "Keras (.keras, .h5), ONNX (.onnx), a torch.export program (.pt2), or weights (.safetensors, or .pt and "
    ".pth with a state dict) together with factory=…"
)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"


def kind_of(path: Path) -> str:
    """``keras``, ``keras-h5``, ``onnx``, ``program``, ``safetensors`` or ``torch``, by content.

    Raises:
        DataError: no such file, or nothing this package can bring in.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; hauberk imports {ACCEPTED}")
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise DataError(f"no model file at {path}", path=str(path)) from None
    except OSError as error:
        raise EnvironmentFailure(f"could not read {path}: {error.strerror}") from error
    if head.startswith(_HDF5):
        return "keras-h5"
    if head.startswith(_ZIP):
        return _kind_of_zip(path)
    size = path.stat().st_size
    if len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= size - 8:
        return "safetensors"
    if path.suffix.lower() == ".onnx" and head:
        return "onnx"
    if head.startswith(b"\x80") and path.suffix.lower() in (".pt", ".pth", ".bin", ".pkl", ".pickle"):
        raise DataError(
            f"{path} is a bare pickle or a torch file from before PyTorch 1.6; neither is read",
            hint="where you trust it: torch.save(torch.load(path, weights_only=True), new_path)",
        )
    if head[:1] == b"\x08":  # the protobuf field ir_version, with which ONNX files begin
        return "onnx"
    raise DataError(f"{path} is no model this version can read; hauberk imports {ACCEPTED}")


def _kind_of_zip(path: Path) -> str:
    with opened(path) as archive:
        names = archive.namelist()
    if "config.json" in names and "metadata.json" in names:
        return "keras"
    leaves = {name.partition("/")[2] for name in names}
    if "archive_format" in leaves or "serialized_exported_program.json" in names:
        return "program"
    if "data.pkl" in leaves:
        return "torch"
    raise DataError(f"{path} is an archive, but of no kind this version can read; hauberk imports {ACCEPTED}")


@contextmanager
def opened(path: Path | bytes) -> Iterator[zipfile.ZipFile]:
    """A zip archive whose entries are of a reasonable size and have different names.

    Raises:
        DataError: not a whole zip archive.
        IntegrityError: entries that unpack out of proportion, or hide one another.
    """
    where = "the archive" if isinstance(path, bytes) else str(path)
    try:
        with zipfile.ZipFile(io.BytesIO(path) if isinstance(path, bytes) else path) as archive:
            _check_sizes(archive, where)
            yield archive
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise DataError(f"{where} is not a whole archive: {error}") from error


def _check_sizes(archive: zipfile.ZipFile, where: str) -> None:
    names = [entry.filename for entry in archive.infolist()]
    twice = (
        next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    )
    if twice is not None:
        raise IntegrityError(
            f"{where} has two entries called '{twice}': readers would not agree which is meant"
        )
    for entry in archive.infolist():
        if entry.file_size > LARGEST_ENTRY:
            raise IntegrityError(
                f"{where}: '{entry.filename}' unpacks to {entry.file_size} bytes, more than {LARGEST_ENTRY}"
            )
        if entry.file_size > _SMALL and entry.file_size > LARGEST_RATIO * max(1, entry.compress_size):
            raise IntegrityError(
                f"{where}: '{entry.filename}' unpacks to more than {LARGEST_RATIO} times its size"
            )


def read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """One entry's bytes.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return archive.read(name)
    except KeyError:
        raise DataError(f"{archive.filename or 'the archive'} lacks '{name}'") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{archive.filename or 'the archive'}: '{name}' is damaged: {error}") from error


def parse_foreign_json(data: bytes, where: str) -> object:
    """JSON of another framework, which may hold NaN and infinities.

    Raises:
        DataError: it is not JSON.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{where} is not valid JSON ({error})") from error


_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"})
_MEMO_KEEPING = frozenset({"MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "PROTO", "FRAME"})


def pickle_globals(data: bytes, where: str) -> list[str]:
    """The names that a pickle would import, as ``module.name``, without running it.

    Names that are put together on the way, which an ordinary pickle never does, come out as ``?``.

    Raises:
        DataError: not a whole pickle.
    """
    found: list[str] = []
    recent: list[str | None] = []
    try:
        for opcode, argument, _position in pickletools.genops(data):
            name = opcode.name
            if name in ("GLOBAL", "INST"):
                found.append(str(argument).replace(" ", "."))
            elif name == "STACK_GLOBAL":
                last = recent[-2:]
                plain = len(last) == 2 and all(one is not None for one in last)
                found.append(".".join(str(one) for one in last) if plain else "?")
            elif name in ("EXT1", "EXT2", "EXT4"):
                found.append("?")
            if name not in _MEMO_KEEPING:
                recent.append(str(argument) if name in _STRINGS else None)
    except (ValueError, IndexError, KeyError) as error:
        raise DataError(f"{where} is not a whole pickle: {error}") from error
    return list(dict.fromkeys(found))


_HARMLESS = frozenset(
    {
        "collections.OrderedDict",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "torch._tensor._rebuild_from_type_v2",
        "torch.Size",
        "torch.Tensor",
        "torch.device",
        "torch.nn.parameter.Parameter",
        "torch.serialization._get_layout",
        "torch.storage.UntypedStorage",
        "torch.storage.TypedStorage",
    }
    | {
        f"torch.{kind}Storage"
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
    }
    | {
        f"torch.{kind}"
        for kind in (
            "float16",
            "float32",
            "float64",
            "bfloat16",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "bool",
        )
    }
)


def refuse_unsafe_pickle(data: bytes, where: str, hint: str) -> None:
    """Refuse a pickle that would call anything but what plain tensors need.

    Raises:
        IntegrityError: with ``facts`` ``names``.
    """
    names = [one for one in pickle_globals(data, where) if one not in _HARMLESS]
    if names:
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        raise IntegrityError(f"{where} would run code when it is read: {shown}", hint=hint, names=names)
