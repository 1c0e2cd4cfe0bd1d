"""The names that a pickle of plain tensors and arrays needs. All others are findings.

A list of what is forbidden is never complete; this one says what is allowed. What code outside of it could do
is told apart only so that the finding can say how bad it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_TORCH_KINDS = (
    *("float16", "float32", "float64", "bfloat16", "half", "float", "double", "complex32", "complex64"),
    *("complex128", "int8", "int16", "int32", "int64", "short", "int", "long", "uint8", "uint16", "uint32"),
    *("uint64", "bool", "quint8", "qint8", "qint32", "quint4x2", "float8_e4m3fn", "float8_e5m2"),
    *("float8_e4m3fnuz", "float8_e5m2fnuz"),
)
_STORAGES = (
    *("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexFloat"),
    *("ComplexDouble", "QUInt8", "QInt8", "QInt32"),
)

MENTIONED = frozenset(
    {
        *(f"torch.{kind}" for kind in _TORCH_KINDS),
        *(f"torch.{kind}Storage" for kind in _STORAGES),
        *(f"torch.{name}" for name in ("Tensor", "per_tensor_affine", "per_channel_affine", "strided")),
        *("torch.storage.UntypedStorage", "torch.storage.TypedStorage", "torch.nn.parameter.Parameter"),
        *("torch.nn.parameter.Buffer", "numpy.ndarray"),
    }
)
"""Stand in the arguments of calls; called themselves, some of them take memory by the terabyte."""

_REBUILD = frozenset(
    f"torch._utils._rebuild_{name}"
    for name in ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor",
                 "sparse_tensor")
)  # fmt: skip

_Check = Callable[[tuple[Any, ...]], bool]


def _always(arguments: tuple[Any, ...]) -> bool:
    return True


def _latin(arguments: tuple[Any, ...]) -> bool:
    """Bytes as protocols 0 to 2 write them; another encoding could be one that unpacks."""
    return len(arguments) == 2 and arguments[1] in ("latin1", "latin-1")


def _empty_array(arguments: tuple[Any, ...]) -> bool:
    """An array that is filled afterwards: it starts with no element."""
    return len(arguments) == 3 and getattr(arguments[1], "items", None) == (0,)


def _rebuilder(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments) and getattr(arguments[0], "name", None) in _REBUILD


def _no_length(arguments: tuple[Any, ...]) -> bool:
    """``bytearray(n)`` takes n bytes of memory."""
    return not any(isinstance(one, int) for one in arguments)


CALLED: dict[str, _Check] = {
    "collections.OrderedDict": _always,
    **dict.fromkeys(sorted(_REBUILD), _always),
    "torch._tensor._rebuild_from_type_v2": _rebuilder,
    "torch.Size": _always,
    "torch.device": _always,
    "torch.serialization._get_layout": _always,
    "numpy.dtype": _always,
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "numpy.core.multiarray.scalar": _always,
    "numpy._core.multiarray.scalar": _always,
    "numpy.core.numeric._frombuffer": _always,
    "numpy._core.numeric._frombuffer": _always,
    "joblib.numpy_pickle.NumpyArrayWrapper": _always,
    "_codecs.encode": _latin,
    **{
        f"{module}.{name}": _no_length if name == "bytearray" else _always
        for module in ("builtins", "__builtin__")
        for name in ("set", "frozenset", "complex", "slice", "bytearray")
    },
}
"""May be called, where their arguments pass the check."""

_HARMLESS_BUILTINS = frozenset(
    {
        *("object", "dict", "list", "tuple", "int", "float", "str", "bytes", "bool", "range", "type"),
        *("Exception", "ValueError", "KeyError", "print", "len", "unicode", "long", "xrange", "property"),
    }
)
_DANGEROUS_MODULES = frozenset(
    {
        *("os", "posix", "nt", "posixpath", "ntpath", "subprocess", "_posixsubprocess", "commands", "popen2"),
        *("sys", "importlib", "imp", "runpy", "pkgutil", "zipimport", "pydoc", "pip", "site", "ensurepip"),
        *("shutil", "pathlib", "tempfile", "glob", "io", "_io", "fileinput", "linecache", "mmap"),
        *("socket", "_socket", "ssl", "http", "urllib", "urllib2", "requests", "httpx", "aiohttp", "ftplib"),
        *("smtplib", "imaplib", "poplib", "telnetlib", "xmlrpc", "webbrowser", "asyncio", "socketserver"),
        *("ctypes", "_ctypes", "cffi", "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal"),
        *("shelve", "types", "functools", "operator", "_operator", "inspect", "code", "codeop", "pty", "pdb"),
        *("bdb", "timeit", "cProfile", "profile", "trace", "doctest", "unittest", "idlelib", "lib2to3"),
        *("distutils", "setuptools", "venv", "atexit", "signal", "threading", "_thread", "multiprocessing"),
        *("concurrent", "sched", "gc", "weakref", "sqlite3", "logging", "platform", "getpass", "uuid"),
        *("builtin", "numexpr", "IPython", "jinja2", "yaml", "joblib", "pandas", "test", "torch"),
    }
)
_DANGEROUS_STARTS = (
    *("numpy.load", "numpy.f2py", "numpy.distutils", "numpy.testing", "numpy.ctypeslib", "numpy.memmap"),
    *("numpy.fromfile", "numpy.save", "numpy.lib", "keras.models.load_model", "keras.saving", "keras.utils"),
    *("tensorflow.io", "tensorflow.keras.models.load_model", "sklearn.utils", "scipy.io", "copyreg.add_"),
)
_TORCH_CLASSES = ("torch.nn.modules.", "torch.optim.", "torch.nn.parallel.")


def is_dangerous(name: str) -> bool:
    """Whether a name that is not allowed is known to reach code, files or the network."""
    module, _, leaf = name.partition(".")
    if module in ("builtins", "__builtin__"):
        return leaf not in _HARMLESS_BUILTINS
    if name.startswith(_TORCH_CLASSES):
        return False  # a whole pickled network: code of torch, but built by the file's own description
    return module in _DANGEROUS_MODULES or name.startswith(_DANGEROUS_STARTS)
