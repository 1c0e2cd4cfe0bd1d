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


def imported(name: str, *, compared: bool = True) -> Evidence:
    result = {
        "largest_difference": 3.1e-7 if compared else None,
        "probes": 64 if compared else 0,
        "conversions": ["NHWC to NCHW", "softmax removed"],
    }
    parameters = {"format": "onnx", "file": "net.onnx", "file_digest": "sha256:" + "f" * 64}
    return record("import", name, result, parameters=parameters, seed=None)


def verdicts(right: int, broken_at: list[int], standing_at: int, samples: int) -> list[dict[str, Any]]:
    """As an evaluation writes them: the first broken after so many queries, the last wrong from the start."""
    rows = []
    for index in range(samples):
        fell = index < len(broken_at)
        rows.append(
            {
                "index": index,
                "label": index % 10,
                "clean_prediction": index % 10 if index < right else (index + 1) % 10,
                "status": "broken" if fell else "robust" if index < right else "misclassified",
                "by": "apgd" if fell else None,
                "prediction": (index + 1) % 10 if fell or index >= right else index % 10,
                "distance": 0.2 if fell else None,
                "queries": broken_at[index] if fell else standing_at if index < right else 0,
            }
        )
    return rows


def cascade(name: str = "hardened", **more: Any) -> Evidence:
    """An evaluation whose attacks saw only what was left, with its verdicts: 90 right, 30 broken of 100."""
    rows = [attack_row("apgd", None, 0.7, attacked=90, broke=20), attack_row("square", None, 0.6, attacked=70)]
    found = verdicts(90, [3] * 20 + [200] * 10, 2000, 100)
    result = {"samples": 100, "clean_accuracy": 0.9, "clean_interval": interval(0.9, 100)}
    result |= {
        "robust_accuracy": 0.6,
        "robust_interval": interval(0.6, 100),
        "attacks": rows,
        "verdicts": found,
    }
    return evaluation(name, **{**{f"result_{key}": value for key, value in result.items()}, **more})


def share(key: str, value: float | None, samples: int = SAMPLES, *, also: str | None = None) -> dict[str, Any]:
    """A share and its interval, both null where there is nothing to count."""
    bounds = None if value is None else interval(value, samples)
    return {key: value, also or f"{key}_interval": bounds}


def corruptions(name: str = "undefended", **more: Any) -> Evidence:
    names = {"gaussian_noise": "noise", "motion_blur": "blur", "fog": "weather", "jpeg_compression": "digital"}
    rows = []
    for place, (one, family) in enumerate(names.items()):
        shares = [0.96 - 0.04 * (place + 1) * severity for severity in range(1, 6)]
        points = [
            {"severity": at, **share("accuracy", value, also="interval")} for at, value in enumerate(shares, 1)
        ]
        rows.append({"name": one, "family": family, "accuracy": sum(shares) / 5, "severities": points})
    gallery = [
        {
            "name": row["name"],
            "severity": 3,
            "index": 2,
            "label": "2",
            "prediction": "2" if place < 2 else "7",
            "image": image(np.clip(digit(2, (1, 8, 8)) + 40 * place, 0, 255)),
        }
        for place, row in enumerate(rows)
    ]
    spatial = {
        **share("accuracy", 0.412, also="interval"),
        "rotation": share("accuracy", 0.633, also="interval"),
        "shift": share("accuracy", 0.701, also="interval"),
        "placements": 325,
        "verdicts": [],
    }
    result = {
        "samples": SAMPLES,
        **share("clean_accuracy", 0.972, also="clean_interval"),
        "corruptions": rows,
        "mean_accuracy": sum(row["accuracy"] for row in rows) / len(rows),
        "spatial": spatial,
        "flags": [{"code": "HB103", "message": "355 samples are few", "tried": []}],
        "original": image(digit(2, (1, 8, 8))),
        "gallery": gallery,
        "mce": None,
        "relative_mce": None,
    }
    parameters = {
        "corruptions": {one: [f"{one}({severity})" for severity in range(1, 6)] for one in names},
        "severities": [1, 2, 3, 4, 5],
        "spatial": {"degrees": 30.0, "rotations": 13, "reach": 0.1, "shifts": 5},
    }
    return record("corruptions", name, {**result, **more}, parameters=parameters)


def poisoning(name: str = "poisoned", **more: Any) -> Evidence:
    def learnt(accuracy: float, success: float) -> dict[str, Any]:
        return {
            **share("accuracy", accuracy),
            "per_class": [accuracy] * 10,
            **share("trigger_success", success, 320),
            **share("trigger_elsewhere", None),
            **share("source_as_target", None),
        }

    gallery = []
    for index in (1, 2, 3):
        stamped = digit(index, (1, 8, 8))
        stamped[:, -2:, -2:] = 255
        gallery.append(
            {
                "index": index,
                "label": LABELS[index],
                "poisoned_label": "0",
                "original": image(digit(index, (1, 8, 8))),
                "poisoned": image(stamped),
            }
        )
    result = {
        "samples": 1437,
        "touched": 72,
        "images_changed": 72,
        "labels_changed": 65,
        "rate": 72 / 1437,
        "test_samples": SAMPLES,
        "class_samples": [35] * 10,
        "before": learnt(0.967, 0.013),
        "after": learnt(0.958, 0.944),
        "gallery": gallery,
    }
    parameters = {
        "poisoner": "BadNets(rate=0.05, target=0)",
        "poisoner_seed": 0,
        "reference": None,
        "source": None,
        "target": 0,
        "trigger": "Patch(size=2)",
        "architecture": {"name": "cnn", "args": {}},
        "plan": {"epochs": 20},
        "device": "cpu",
    }
    return record("poisoning", name, {**result, **more}, parameters=parameters)


def cleansing(name: str = "cleansed", **more: Any) -> Evidence:
    def learnt(accuracy: float, success: float) -> dict[str, Any]:
        return {
            **share("accuracy", accuracy),
            "per_class": [accuracy] * 10,
            **share("trigger_success", success, 320),
            **share("trigger_elsewhere", None),
            **share("source_as_target", None),
        }

    def stamp(label: int, size: int) -> dict[str, Any]:
        mask, paint, stamped = np.zeros((1, 8, 8)), np.zeros((1, 8, 8)), digit(3, (1, 8, 8))
        for one in (mask, paint, stamped):
            one[:, -size:, -size:] = 255
        return {
            "class": LABELS[label],
            "mask": image(mask),
            "paint": image(paint),
            "stamped": image(stamped),
            "stamped_label": LABELS[3],
            "read_before": LABELS[label],
            "read_after": LABELS[3],
        }

    rows = [
        {
            "index": index,
            "label": "0",
            "score": 4.0 - index,
            "flagged": index < 3,
            "touched": index != 1,
            "image": image(digit(index, (1, 8, 8))),
        }
        for index in range(4)
    ]
    classes = [
        {
            "label": label,
            "class": LABELS[label],
            "mask_norm": 2.5 if label == 0 else 11.0 + 0.1 * label,
            "anomaly": 9.25 if label == 0 else 0.5,
            "suspected": label == 0,
            **share("success", 0.983, 320),
            **share("success_after", 0.041, 320),
        }
        for label in range(10)
    ]
    result = {
        "samples": 1437,
        "flagged": 90,
        "touched": 72,
        **share("precision", 0.733, 90),
        **share("recall", 0.917, 72),
        **share("false_alarms", 0.018, 1365),
        "test_samples": SAMPLES,
        "before": learnt(0.958, 0.944),
        "after": learnt(0.961, 0.022),
        "classes": classes,
        "row_gallery": rows,
        "stamp_gallery": [{"label": one, "suspected": one == 0, **stamp(one, 3 - one)} for one in (0, 1)],
        "true_trigger": {"mask_norm": 4.0, **stamp(0, 2)},
    }
    parameters = {
        "defense": {"name": "neural-cleanse", "steps": 300, "threshold": 2.0},
        "poisoner": "BadNets(rate=0.05, target=0)",
        "source": None,
        "target": 0,
    }
    return record("cleansing", name, {**result, **more}, parameters=parameters)


def extraction(name: str = "stolen", *, thief: str = "Knockoff(epochs=20)", **more: Any) -> Evidence:
    points = [
        {
            "queries": queries,
            **share("fidelity", fidelity, also="interval"),
            **share("accuracy", fidelity - 0.02),
        }
        for queries, fidelity in ((125, 0.611), (250, 0.742), (500, 0.853), (1000, 0.917))
    ]
    result = {
        "samples": SAMPLES,
        "queries": 1000,
        "victim": share("accuracy", 0.972, also="interval"),
        "surrogate": share("accuracy", 0.897, also="interval"),
        **share("fidelity", 0.917),
        "points": points,
        "history": [{"queries": 1000, "agreement": 0.99}],
        "transfer": {
            "attacked": 345,
            "fooled": 221,
            **share("share", 221 / 345, also="interval"),
            "invalid": 0,
            "noise_fooled": 7,
            "noise_share": 7 / 345,
        },
    }
    parameters = {
        "thief": thief,
        "queries": 1000,
        "knowledge": "scores",
        "threat": {**THREAT, "eps": 0.1, "knowledge": "labels"},
        "attack": "MIFGSM(steps=10)",
    }
    inputs = {"model": {"name": "undefended", "digest": "sha256:" + "a" * 64}}
    return record("extraction", name, {**result, **more}, parameters=parameters, inputs=inputs)


def guess(name: str, power: float, people: int) -> dict[str, Any]:
    """A membership attack that finds ``rate ** power`` of the members at each rate of false alarms."""
    rates = [0.0, *np.geomspace(1 / people, 1, 60).tolist()]
    rates[-1] = 1.0  # geomspace may end a rounding above
    area = 1 / (1 + power)
    return {
        "name": name,
        "recipe": f"{name.upper()}()",
        "auc": area,
        "auc_interval": interval(area, people),
        "tpr_at_0.01": 0.01**power,
        "tpr_at_0.01_interval": interval(0.01**power, people),
        "tpr_at_0.001": 0.001**power,
        "tpr_at_0.001_interval": interval(0.001**power, people),
        "advantage": 0.3,
        "balanced_accuracy": 0.65,
        "roc": [[rate, rate**power] for rate in rates],
        "seconds": 0.1,
    }


def membership(name: str = "undefended", *, people: int = 2000, **more: Any) -> Evidence:
    result = {
        "members": people,
        "non_members": people,
        "member_accuracy": 0.999,
        "non_member_accuracy": 0.953,
        "attacks": [guess("loss", 0.9, people), guess("lira", 0.45, people), guess("rmia", 0.42, people)],
        "blind": {"auc": 0.503, "auc_interval": [0.485, 0.521]},
        "flags": [{"code": "HB303", "message": "members are training images", "tried": []}],
    }
    parameters = {"attacks": ["LOSS()", "LIRA()", "RMIA()"], "shadows": 16, "random_split": False}
    return record("membership", name, {**result, **more}, parameters=parameters)


def inversion(name: str = "undefended", **more: Any) -> Evidence:
    row = {
        "recipe": "GradientInversion(steps=500)",
        **share("recognised", 0.75, 4),
        **share("matched", 1.0, 4),
        "mean_correlation": 0.62,
        "other_correlation": 0.31,
        "start_correlation": 0.02,
        "nearest_member": 0.71,
        "nearest_fresh": 0.70,
        "gradients": 2000,
        "seconds": 1.5,
        "pictures": [],
    }
    gallery = [
        {
            "attack": attack,
            "label": label,
            "class": LABELS[label],
            "prediction": label if label else 3,
            "prediction_class": LABELS[label if label else 3],
            "picture": image(np.clip(digit(label, (1, 8, 8)) + 30, 0, 255)),
            "mean": image(digit(label, (1, 8, 8))),
        }
        for attack in ("gradient", "gaussian")
        for label in range(4)
    ]
    result = {
        "classes": 4,
        "judge_accuracy": 0.961,
        "attacks": [{"name": "gradient", **row}, {"name": "gaussian", **row, **share("recognised", 0.25, 4)}],
        "random": {**share("recognised", 0.11, 100), "mean_correlation": 0.001},
        "gallery": gallery,
        "flags": [],
    }
    parameters = {"attacks": ["GradientInversion()", "GaussianInversion()"], "classes": [0, 1, 2, 3]}
    return record("inversion", name, {**result, **more}, parameters=parameters)


def detection(name: str = "guarded", **more: Any) -> Evidence:
    def attacker(detected: int, evaded: int, power: float) -> dict[str, Any]:
        rates = [step / 20 for step in range(21)]
        return {
            "attacks": ["pgd on the network"],
            "fooled": 120,
            "detected": detected,
            "evaded": evaded,
            "detected_share": detected / 120,
            "detected_interval": interval(detected / 120, 120),
            "robust_accuracy": 0.925 - evaded / SAMPLES,
            "robust_interval": interval(0.925 - evaded / SAMPLES),
            "auc": 1 / (1 + power),
            "auc_interval": interval(1 / (1 + power), 120),
            **share("tpr_at_0.05", 0.05**power, 120),
            "roc": [[rate, rate**power] for rate in rates],
        }

    row = {"attacked": 150, "fooled": 120, "invalid": 0, "robust_after": 0.5, "seconds": 1.0}
    result = {
        "samples": SAMPLES,
        **share("network_accuracy", 0.965, also="network_interval"),
        **share("clean_accuracy", 0.925, also="clean_interval"),
        **share("false_positive_rate", 0.055, also="false_positive_interval"),
        "mistakes": 7,
        "mistakes_refused": 3,
        "attacks": [
            {**row, "name": "pgd on the network", "recipe": "PGD(steps=40)", "adaptive": False, "detected": 110,
             "evaded": 10},
            {**row, "name": "apgd on the whole", "recipe": "APGD(steps=60)", "adaptive": True, "detected": 30,
             "evaded": 90},
        ],
        "oblivious": attacker(110, 10, 0.1),
        "adaptive": attacker(30, 90, 0.7),
        "verdicts": [],
        "flags": [],
    }  # fmt: skip
    parameters = {"threat": THREAT, "detectors": [{"name": "mahalanobis", "gradient": "exact"}]}
    return record("detection", name, {**result, **more}, parameters=parameters)


def certificates(name: str = "proved", **more: Any) -> Evidence:
    held = 291  # 240 by intervals, the rest by linear bounds
    rows = [
        {"index": index, "label": index % 10, "prediction": index % 10, "certified": index < held,
         "margin": 0.5 if index < held else -1.0, "radius": None,
         "by": None if index >= held else "ibp" if index < 240 else "crown"}
        for index in range(SAMPLES)
    ]  # fmt: skip
    result = {
        "samples": SAMPLES,
        **share("clean_accuracy", 0.925, also="clean_interval"),
        **share("certified_accuracy", held / SAMPLES, also="certified_interval"),
        "confidence": None,
        "certificates": rows,
        "flags": [],
    }
    parameters = {"threat": THREAT, "method": "auto", "refine": 256}
    return record("certificates", name, {**result, **more}, parameters=parameters)


def anonymization(name: str = "open.csv", **more: Any) -> Evidence:
    """A table of patients with k = 5 and a model of their illness."""

    def side(k: int, risk: float, unique: float) -> dict[str, Any]:
        return {
            "k": k, "classes": 600 // k,
            "l": {"illness": {"distinct": 2, "entropy": 1.8}}, "t": {"illness": 0.31},
            "presence": [0.01, 1.0 / k],
            "risk": {
                "prosecutor": {"highest": 1 / k, "average": risk, "high_share": unique, "unique_share": unique},
                "journalist": {"highest": 1 / k, "average": risk, "high_share": unique},
                "marketer": {"average": risk},
            },
        }  # fmt: skip

    result = {
        "rows": 1200, "published": 1195, "suppressed_share": 5 / 1200, "incomplete_rows": 0,
        "before": side(1, 0.6, 0.45), "after": side(5, 0.08, 0.0),
        "loss": {
            "gcp": 0.11, "by_column": {"age": 0.2, "zip": 0.02}, "discernibility": 9000.0,
            "discernibility_share": 0.00625, "average_class": 9.9, "average_class_by_k": 1.98,
        },
        "model": {
            "target": "illness", "held_out": 350,
            "accuracy_before": 0.82, "accuracy_after": 0.81, "majority": 0.7,
        },
    }  # fmt: skip
    parameters = {"quasi": ["age", "zip"], "sensitive": ["illness"], "k": 5}
    return record("anonymization", name, {**result, **more}, parameters=parameters)


def deidentification(name: str = "clean.csv", **more: Any) -> Evidence:
    """Customers whose names and numbers were found, with what a second detector still sees."""
    digests = {"digest_before": f"sha256:{'1' * 64}", "digest": f"sha256:{'2' * 64}"}
    result = {
        "records": 1200,
        "findings": 2310,
        "counts": [
            {"type": "NAME", "action": "pseudonym", "count": 1300, "mean_score": 0.93, "least_score": 0.5},
            {"type": "MOBILE", "action": "tag", "count": 1000, "mean_score": 0.98, "least_score": 0.9},
            {"type": "STAFF", "action": "delete", "count": 10, "mean_score": 0.9, "least_score": 0.9},
        ],
        "columns": [{"column": "phone", "rule": "MOBILE", "cells": 1000}],
        "files": [
            {"name": name, "format": "csv", "encoding": "gb18030", "records": 1200, "findings": 2310,
             "size_bytes": 90_000, **digests},
        ],
        "samples": [{"type": "NAME", "masked": "张*", "file": name, "line": 7}],
        "leak": {
            "looked": 400, "share_looked": 0.34, "left": 4, "left_share": 0.01, "left_interval": [0.004, 0.025],
            "left_types": {"NAME": 4}, "second": 700, "both": 690, "found_share": 690 / 700,
            "found_interval": [0.974, 0.992],
        },
        "tokens": 12,
    }  # fmt: skip
    parameters = {"policy": {}, "policy_digest": f"sha256:{'3' * 64}", "key": "0011223344556677"}
    return record("deidentification", name, {**result, **more}, parameters=parameters)


OTHERS = {
    "certificates": certificates,
    "detection": detection,
    "corruptions": corruptions,
    "poisoning": poisoning,
    "cleansing": cleansing,
    "extraction": extraction,
    "membership": membership,
    "inversion": inversion,
    "deidentification": deidentification,
    "anonymization": anonymization,
}


def everything() -> list[Evidence]:
    """A whole life, and each of the other kinds once."""
    return [*whole_life(), cascade("cascaded"), *(make() for make in OTHERS.values())]


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
