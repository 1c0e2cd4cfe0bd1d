"""What the scan looks for: each rule with its weight, what an attacker gains, and what to do about it.

``high`` is code that runs, or a file that shows one thing to the checker and another to the reader. ``medium``
is what nobody has shown to be harmless, ``low`` what no reader here needs. All three are findings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["high", "medium", "low"]

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with a file.

    Args:
        id: ``kind/what``; stable, other tools may refer to it.
        title: what it is, in a few words.
        gains: what an attacker gets from it.
        remedy: what the person with the file should do.
    """

    id: str
    severity: Severity
    title: str
    gains: str
    remedy: str


_CODE = "runs code of his choice, with your rights, when the file is loaded"
_DIFFER = "shows the checker harmless content while the program that loads the file reads other content"
_FILL = "fills memory or disk, or keeps the machine busy for hours"
_HIDE = "hides content where this scan cannot look"
_OUTSIDE = "reads or overwrites files outside of the model's folder"
_DELETE = "do not load it; ask whoever gave it to you for weights as .safetensors"
_WEIGHTS = "where you trust the maker: let him save plain weights (state_dict, .safetensors) and scan those"
_AGAIN = "get the file again from its source, and compare the digest that the source publishes"
_UNPACK = "do not unpack or load it; get it again from its source"


def _rules(*rows: tuple[str, Severity, str, str, str]) -> dict[str, Rule]:
    return {row[0]: Rule(*row) for row in rows}


RULES = _rules(
    ("pickle/dangerous-import", "high", "a pickle names a function that can run code", _CODE, _DELETE),
    ("pickle/unlisted-import", "medium", "a pickle names what plain tensors and arrays do not need",
     "runs whatever the named class or function does with arguments of his choice", _WEIGHTS),
    ("pickle/hidden-name", "high", "a pickle puts together the name of what it imports", _CODE, _DELETE),
    ("pickle/computed-call", "high", "a pickle calls something that is not a plain name", _CODE, _DELETE),
    ("pickle/unusual-call", "medium", "a pickle calls a harmless name as no library does", _FILL, _WEIGHTS),
    ("pickle/changes-code", "high", "a pickle changes an imported class or function",
     "changes what your own program does after the file was loaded", _DELETE),
    ("pickle/extension", "high", "a pickle imports by a number of the extension registry", _CODE, _DELETE),
    ("pickle/malformed", "medium", "a pickle that is cut short or broken",
     "runs what stands before the break, where a scanner gives up", _AGAIN),
    ("pickle/trailing-data", "low", "bytes after the end of a pickle", _HIDE, _AGAIN),
    ("pickle/bomb", "high", "a pickle that grows out of proportion", _FILL, _DELETE),
    ("pickle/too-long", "medium", "a pickle with more instructions than are followed", _HIDE, _WEIGHTS),
    ("pickle/unfollowed", "medium", "arrays between pickles that cannot be followed", _HIDE, _WEIGHTS),
    ("pickle/picklescan", "high", "picklescan calls it dangerous", _CODE, _DELETE),
    ("pickle/fickling", "high", "fickling calls it malicious", _CODE, _DELETE),
    ("torch/legacy-tar", "medium", "a torch file from before 2017, which cannot be followed", _HIDE, _WEIGHTS),
    ("torch/script", "medium", "a TorchScript program",
     "runs operations of his choice whenever the model is called", _WEIGHTS),
    ("torch/compiled-code", "high", "compiled machine code in a model", _CODE, _DELETE),
    ("torch/operation", "high", "a program that names something else than a tensor operation", _CODE, _DELETE),
    ("torch/expression", "high", "a size that is more than arithmetic", _CODE, _DELETE),
    ("torch/name", "high", "a name in a program that is no name", _CODE, _DELETE),
    ("keras/lambda", "high", "a Keras layer that carries Python code", _CODE,
     "replace the Lambda by a plain layer where the model was made, and save it again"),
    ("keras/custom-object", "medium", "a Keras description that names a class outside of Keras",
     "runs whatever that class does, if it is installed or registered", _WEIGHTS),
    ("keras/function", "high", "a Keras description that names a function which is no layer",
     "calls a function of Keras or of another package with arguments of his choice", _DELETE),
    ("keras/file", "medium", "a Keras layer that reads a file of its own",
     "has files of your machine, or addresses in your network, read into the model", _WEIGHTS),
    ("hdf5/link", "high", "an HDF5 file that points at other files", _OUTSIDE, _DELETE),
    ("onnx/external-path", "high", "an ONNX model with weights outside of its folder", _OUTSIDE, _DELETE),
    ("onnx/custom-operation", "medium", "an ONNX model with operations outside of the standard",
     "has whatever library registers those operations called with data of his choice", _WEIGHTS),
    ("safetensors/header", "medium", "a safetensors file whose header lies", _DIFFER, _AGAIN),
    ("safetensors/layout", "high", "tensors that overlap, leave holes or lie outside", _DIFFER, _AGAIN),
    ("numpy/malformed", "medium", "a NumPy file whose header or length is wrong", _DIFFER, _AGAIN),
    ("onnx/malformed", "medium", "an ONNX file that is cut short or broken", _DIFFER, _AGAIN),
    ("json/malformed", "medium", "a description that readers would not agree on", _DIFFER, _AGAIN),
    ("archive/malformed", "medium", "an archive that is cut short or broken", _DIFFER, _AGAIN),
    ("archive/bomb", "high", "an archive that unpacks out of proportion", _FILL, _UNPACK),
    ("archive/overlap", "high", "archive entries that share bytes", _FILL, _UNPACK),
    ("archive/duplicate", "high", "two archive entries with one name", _DIFFER, _UNPACK),
    ("archive/mismatch", "high", "an archive whose two directories do not agree", _DIFFER, _UNPACK),
    ("archive/hidden-entry", "high", "an archive entry that its directory does not list", _DIFFER, _UNPACK),
    ("archive/path", "high", "an archive entry that leaves the folder it is unpacked to", _OUTSIDE, _UNPACK),
    ("archive/link", "high", "a link or a device in an archive", _OUTSIDE, _UNPACK),
    ("archive/encrypted", "medium", "an encrypted archive entry", _HIDE, _UNPACK),
    ("archive/method", "medium", "an archive entry packed in a way that is not read", _HIDE, _UNPACK),
    ("archive/too-deep", "medium", "archives within archives within archives", _HIDE, _UNPACK),
    ("polyglot/two-kinds", "high", "a file that is two things at once", _DIFFER, _DELETE),
    ("package/factory", "medium", "a model package that asks to run code of another module",
     "runs that code when the package is loaded, once somebody has allowed it",
     "read that code; allow it (hauberk.models.factories.trust) only if you trust it"),
    ("folder/link", "high", "a symbolic link out of the folder", _OUTSIDE, "remove the link"),
    ("folder/special", "medium", "something that is neither a file nor a folder", _FILL, "remove it"),
    ("code/executable", "high", "a program", _CODE, "remove it; a model needs none"),
    ("code/source", "medium", "source code beside the weights",
     "runs when a loader is told to trust the model's own code", "read it, or remove it"),
    ("unknown/kind", "low", "a file of a kind that is not known here", _HIDE,
     "remove it where the model does not need it"),
)  # fmt: skip
"""All rules by their id."""
