"""Programs of ``torch.export`` and TorchScript.

torch's own reader of exported programs looks functions up by the names in the file, evaluates sizes as Python
expressions and writes names into source code that it runs. So names must be names, sizes arithmetic, and
operations those of tensors. Their pickled sample inputs are looked at like any other pickle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hauberk.protection.scan.job import Job, Part

_OPERATION = re.compile(
    r"torch\.ops\.(aten|prims|prim|_operator|quantized_decomposed|higher_order)\.\w+(\.\w+)?"
    r"|_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|eq|ne|lt|le|gt|ge|getitem|and_|or_|not_)"
    r"|math\.(ceil|floor|trunc|sqrt|log|exp)|torch\.sym_\w+|torch\._sym_\w+"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|")
_WORDS = frozenset(
    {
        *("Mod", "PythonMod", "FloorDiv", "CeilDiv", "ModularIndexing", "Max", "Min", "Integer", "Symbol"),
        *("TruncToInt", "CeilToInt", "FloorToInt", "IntTrueDiv", "ToFloat", "Eq", "Ne", "Le", "Lt", "Ge", "Gt"),
        *("oo", "int_oo", "And", "Or", "Not", "true", "false", "True", "False", "floor", "ceiling", "Pow"),
        *("Identity", "Piecewise", "positive", "integer", "Add", "Mul", "Where", "PowByNatural", "Float"),
    }
)
_SYMBOL = re.compile(r"[suz]\w{0,3}\d+|__meta_\w+")
_EXPRESSION = re.compile(r"[\w\s+\-*/%(),.<>=!&|~']*")


_READ = {"target": ("nodes",), "name": ("as_tensor", "as_tensors", "arg")}
"""Keys whose texts are looked up or written into code, and what they stand in."""


def look(kind: str, names: set[str], part: Part, job: Job) -> None:
    """What the archive as a whole says; its entries were looked at one by one."""
    if kind == "torch-script":
        job.find("torch/script", part.where, "holds a TorchScript program")
    for name in sorted(names):
        if "/aotinductor/" in name or name.endswith((".so", ".cubin", ".hsaco", ".ptx")):
            where = part.inner(part.source, name).where
            job.find("torch/compiled-code", where, "holds compiled code")


def is_program(document: Any) -> bool:
    """Whether a JSON document is the graph of an exported program."""
    return isinstance(document, dict) and "graph_module" in document and "schema_version" in document


def check(document: Any, where: str, job: Job) -> None:
    """A graph's operations, names and sizes."""
    for key, value in _texts(document):
        if key == "target" and not _OPERATION.fullmatch(value):
            job.find("torch/operation", where, f"names the operation {value[:120]!r}")
        elif key == "expr_str" and not _is_arithmetic(value):
            job.find("torch/expression", where, f"a size is written as {value[:120]!r}")
        elif key == "name" and not _NAME.fullmatch(value):
            job.find("torch/name", where, f"a value is called {value[:120]!r}")


def _texts(document: Any) -> Iterator[tuple[str, str]]:
    """Texts that torch's reader acts on, with their keys."""
    pending: list[tuple[str, Any]] = [("", document)]
    while pending:
        inside, one = pending.pop()
        if isinstance(one, list):
            pending += [(inside, entry) for entry in one]
        elif isinstance(one, dict):
            for key, value in one.items():
                if isinstance(value, str):
                    if inside in _READ.get(key, ()) or key == "expr_str":
                        yield key, value
                elif key != "metadata":  # stack traces and the like, kept as texts
                    pending.append((key, value))


def _is_arithmetic(expression: str) -> bool:
    if "__" in expression.replace("__meta_", "") or not _EXPRESSION.fullmatch(expression):
        return False
    words = re.findall(r"[A-Za-z_]\w*", expression)
    return all(word in _WORDS or _SYMBOL.fullmatch(word) for word in words)
