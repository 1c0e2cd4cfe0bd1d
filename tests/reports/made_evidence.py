"""Evidence made by hand, as the schema has it: three models on 8x8 images, with curves and histories."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from hauberk.core.evidence import Evidence

THREAT = {"norm": "linf", "eps": 0.2, "targeted": False, "knowledge": "white-box", "queries": None}
VERSIONS = {"python": "3.11.2", "platform": "x86_64", "hauberk": "0.1.0", "torch": "2.6.0"}
LABELS = tuple("0123456789")
MODELS = {  # name: clean, alone by attack, worst case
    "undefended": (0.972, {"fgsm": 0.183, "pgd": 0.014, "apgd": 0.011}, 0.011),
    "fgsm-retrained": (0.955, {"fgsm": 0.901, "pgd": 0.237, "apgd": 0.214}, 0.208),
    "hardened": (0.938, {"fgsm": 0.831, "pgd": 0.789, "apgd": 0.781}, 0.775),
}
SAMPLES = 355


def image(pixels: np.ndarray) -> dict[str, Any]:
    """An image object from bytes ``(c, h, w)``."""
    return {
        "shape": list(pixels.shape),
        "bounds": [0.0, 1.0],
        "data": base64.b64encode(pixels.astype(np.uint8).tobytes()).decode(),
    }


def digit(index: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Something that looks written: a bright curve on black, different for each index."""
    _, height, width = shape
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    curve = 0.5 + 0.28 * np.sin((2 + index % 4) * np.pi * y + index)
    ink = np.exp(-(((x - curve) / 0.13) ** 2)) * (np.abs(y - 0.5) < 0.47)
    return np.broadcast_to((255 * ink).round(), shape).copy()


def sample(
    index: int,
    *,
    fooled: bool,
    shape: tuple[int, int, int] = (1, 8, 8),
    labels: tuple[str | int, ...] = LABELS,
) -> dict[str, Any]:
    random = np.random.default_rng(index)
    original = digit(index, shape)
    change = 51 * random.choice([-1, 1], size=shape)
    label = labels[index % len(labels)]
    other = labels[(index * 3 + 5) % len(labels)]
    wrong = other if other != label else labels[(index + 1) % len(labels)]
    return {
        "index": index,
        "label": label,
        "clean_prediction": label,
        "prediction": wrong if fooled else label,
        "by": "pgd" if fooled else None,
        "distance": 0.2 if fooled else None,
        "original": image(original),
        "adversarial": image(np.clip(original + change, 0, 255)),
    }


def interval(share: float, samples: int = SAMPLES) -> list[float]:
    """Roughly Wilson's; the report only repeats it."""
    half = 1.96 * (share * (1 - share) / samples + 0.96 / samples**2) ** 0.5
    return [max(0.0, share - half), min(1.0, share + half)]


def record(kind: str, name: str, result: dict[str, Any], **more: Any) -> Evidence:
    fields: dict[str, Any] = {
        "kind": kind,
        "subject": {"name": name, "digest": f"sha256:{name.encode().hex():0<64.64}"},
        "inputs": {"dataset": {"name": "digits/test", "samples": SAMPLES, "digest": "sha256:" + "d" * 64}},
        "result": result,
        "seed": 0,
        "duration_s": 12.34,
        "created": "2026-01-31T09:30:00Z",
        "versions": VERSIONS,
    }
    return Evidence(**{**fields, **more})


def attack_row(name: str, alone: float | None, after: float, **more: Any) -> dict[str, Any]:
    row = {
        "name": name,
        "recipe": f"{name.upper()}(steps={1 if name == 'fgsm' else 40}, restarts=2, step_size=None)",
        "attacked": SAMPLES,
        "broke": round(SAMPLES * (1 - (after if alone is None else alone))),
        "alone_accuracy": alone,
        "robust_after": after,
        "queries_mean": 1.0 if name == "fgsm" else 83.4,
        "seconds": 0.42,
        "invalid": 0,
    }
    return {**row, **more}


def evaluation(name: str, threat: dict[str, Any] = THREAT, **more: Any) -> Evidence:
    """One evaluation; keywords that start with ``result_`` replace keys of the result."""
    clean, alone, worst = MODELS.get(name, MODELS["hardened"])
    kept = clean
    rows = []
    for attack, accuracy in alone.items():
        kept = min(kept, accuracy)
        rows.append(attack_row(attack, accuracy, kept))
    rows[-1]["robust_after"] = worst
    changed = {key[7:]: more.pop(key) for key in list(more) if key.startswith("result_")}
    result = {
        "samples": SAMPLES,
        "clean_accuracy": clean,
        "clean_interval": interval(clean),
        "robust_accuracy": worst,
        "robust_interval": interval(worst),
        "attacks": rows,
        "verdicts": [],
        "gallery": [sample(index, fooled=worst < 0.5 or index % 4 == 1) for index in range(8)],
        "flags": [],
    }
    parameters = {"threat": threat, "alone": [row["recipe"] for row in rows], "attacks": []}
    return record("evaluation", name, {**result, **changed}, **{"parameters": parameters, **more})


def curve(name: str, **more: Any) -> Evidence:
    clean, _, worst = MODELS[name]
    fall = np.log(clean / worst) / 0.2**1.5
    radii = [round(0.04 * step, 2) for step in range(8)]
    shares = [float(clean * np.exp(-fall * eps**1.5)) for eps in radii]
    points = [
        {"eps": eps, "accuracy": share, "interval": interval(share)}
        for eps, share in zip(radii, shares, strict=True)
    ]
    parameters = {"threat": {**THREAT, "eps": 0.28}, "attack": "PGD(objective='margin', steps=40)"}
    return record("curve", name, {"points": points, "samples": SAMPLES}, **{"parameters": parameters, **more})


def history(name: str, kind: str, *, robust: bool, epochs: int = 20, **more: Any) -> Evidence:
    rows = [
        {
            "epoch": epoch,
            "loss": 2.3 * 0.8**epoch + 0.05,
            "train_accuracy": 1 - 0.9 * 0.7**epoch,
            "held_out_accuracy": 0.96 - 0.8 * 0.7**epoch,
            "held_out_robust": 0.78 - 0.7 * 0.8**epoch if robust and epoch % 2 else None,
            "eps": 0.2 if robust else None,
            "seconds": 0.5,
        }
        for epoch in range(1, epochs + 1)
    ]
    parameters = {
        "architecture": {"name": "small-cnn", "args": {}},
        "plan": {"epochs": epochs},
        "method": "pgd-training" if robust else "plain",
    }
    result = {"history": rows, "best_epoch": epochs - 3 if robust else None, "parameters_count": 12_345}
    return record(kind, name, result, **{"parameters": parameters, **more})


def single(name: str, **more: Any) -> Evidence:
    result = {
        "samples": 100,
        "clean_accuracy": 0.97,
        "accuracy": 0.31,
        "interval": interval(0.31, 100),
        "broke": 66,
        "queries_mean": 512.0,
        "distance_median": 0.187,
        "gallery": [sample(index, fooled=True) for index in range(3)],
        "invalid": 0,
        "verdicts": [],
    }
    parameters = {"threat": {**THREAT, "knowledge": "scores", "queries": 1000}, "attack": "Square(p=0.3)"}
    return record("attack", name, result, **{"parameters": parameters, **more})


def imported(name: str) -> Evidence:
    result = {"largest_difference": 3.1e-7, "probes": 64, "conversions": ["NHWC to NCHW", "softmax removed"]}
    parameters = {"format": "onnx", "file": "net.onnx", "file_digest": "sha256:" + "f" * 64}
    return record("import", name, result, parameters=parameters, seed=None)


def whole_life() -> list[Evidence]:
    """A run as a recipe would leave it: everything there is, linked by parents."""
    trained = history("undefended", "training", robust=False)
    found = [trained]
    parents = {"undefended": trained}
    for name in ("fgsm-retrained", "hardened"):
        parents[name] = history(name, "hardening", robust=True, parents=(trained.digest,))
        found.append(parents[name])
    few = [{"code": "HB102", "message": "one step does more harm than many: the gradients mislead"}]
    for name in MODELS:
        flags = few if name == "fgsm-retrained" else []
        link = (parents[name].digest,)
        found.append(evaluation(name, result_flags=flags, parents=link))
        found.append(curve(name, parents=link))
    return found
