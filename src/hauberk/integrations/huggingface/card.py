"""The model card: what was measured, as the Hub's metadata and as a table, each figure with its evidence.

Names come from elsewhere and end up on a web page: in the metadata they are JSON strings (which YAML reads), in
the text everything that Markdown or HTML would act on is escaped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hauberk.core.evidence import Evidence

_ACTIVE = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$])")


def card(name: str, manifest: Mapping[str, Any], evidence: Sequence[Evidence], native: bool) -> str:
    """The text of ``README.md``.

    Args:
        native: whether the transformers library loads the folder by itself.
    """
    measured = [one for one in evidence if one.kind == "evaluation"]
    lines = [*_metadata(name, measured, native), "", f"# {_plain(name)}", ""]
    shape = " x ".join(map(str, manifest["input"]["shape"]))
    labels = manifest["labels"]
    lines += [
        f"An image classifier: {shape} in, {len(labels)} classes out ({_plain(', '.join(labels[:10]))}"
        f"{', …' if len(labels) > 10 else ''}).",
        "",
        f"Model `{manifest['model']}`, exported from the package `{manifest['digest']}`.",
        "",
    ]
    if measured:
        lines += [
            "## Worst case",
            "",
            "Accuracy while an attacker changes every image; an upper bound, as stronger attacks may exist.",
            "",
            "| threat | clean | worst case | 95 % interval | data | samples | warnings | evidence |",
            "| --- | --- | --- | --- | --- | --- | --- | --- |",
            *(_row(one) for one in measured),
            "",
        ]
    parts = [one["name"] for one in manifest.get("defences", ())]
    if parts:
        lines += [f"Defences around the network: {_plain(', '.join(parts))}.", ""]
    lines += ["## Use", "", *_use(native), "", "## Evidence", ""]
    lines += [f"- {one.kind} `{one.digest}`, {_plain(one.created)}" for one in evidence] or ["None."]
    return "\n".join([*lines, ""])


def _metadata(name: str, measured: Sequence[Evidence], native: bool) -> Iterator[str]:
    yield "---"
    yield f"library_name: {'transformers' if native else 'hauberk'}"
    yield "pipeline_tag: image-classification"
    yield "tags: [hauberk, adversarial-robustness]"
    if measured:
        results = [_result(one) for one in measured]
        yield f"model-index: {json.dumps([{'name': name, 'results': results}])}"
    yield "---"


def _result(one: Evidence) -> dict[str, Any]:
    data = one.inputs["dataset"]
    clean = {"type": "accuracy", "name": "accuracy", "value": one.result["clean_accuracy"]}
    worst = {
        "type": "accuracy",
        "name": f"worst-case accuracy ({_threat(one)})",
        "value": one.result["robust_accuracy"],
        "args": {"evidence": one.digest},
    }
    return {
        "task": {"type": "image-classification"},
        "dataset": {"name": data["name"], "type": data["name"].partition("/")[0] or "batch"},
        "metrics": [clean, worst],
    }


def _threat(one: Evidence) -> str:
    threat = one.parameters["threat"]
    return (
        f"{threat['norm']} {threat['eps']:g}, {threat['knowledge']}{', targeted' if threat['targeted'] else ''}"
    )


def _row(one: Evidence) -> str:
    result = one.result
    low, high = result["robust_interval"]
    cells = [
        _plain(_threat(one)),
        f"{result['clean_accuracy']:.1%}",
        f"**{result['robust_accuracy']:.1%}**",
        f"{low:.1%} – {high:.1%}",
        _plain(one.inputs["dataset"]["name"]),
        str(result["samples"]),
        _plain(" ".join(flag["code"] for flag in result["flags"])) or "none",
        f"`{one.digest[7:19]}`",
    ]
    return f"| {' | '.join(cells)} |"


def _use(native: bool) -> Iterator[str]:
    if native:
        yield from (
            "```python",
            "from transformers import AutoModelForImageClassification",
            "",
            'model = AutoModelForImageClassification.from_pretrained("FOLDER")',
            "```",
            "",
        )
    yield from (
        "```console",
        "$ hauberk import FOLDER --out models/mine",
        "$ hauberk info models/mine",
        "```",
        "",
    )
    # the import itself stands in the new package's records, so that the package is another
    yield (
        "`hauberk info` shows the digest of the model, which must be the one above; the package's own digest "
        "is another."
    )


def _plain(text: str) -> str:
    """One line in which nothing is markup."""
    flat = " ".join(text.split())
    return _ACTIVE.sub(r"\\\1", "".join(one for one in flat if one.isprintable()))
