"""Does `hauberk certify` give a smoothed network the radii that the paper's own procedure gives it?

    python benchmarks/defences.py --only gaussian --only smoothing    # makes the network
    python benchmarks/smoothing.py                                    # a quarter of an hour on one core

CERTIFY of Cohen, Rosenfeld and Kolter (ICML 2019, section 3.2) is written here a second time, from the paper,
with SciPy's beta distribution for the bound, and given the same network, images and numbers of copies. Noise is
drawn apart, so single images may differ; the share certified at a radius should not.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from importlib import metadata
from pathlib import Path
from statistics import NormalDist
from typing import Any

from pages import README, put

HERE = Path(__file__).parent
PACKAGE = Path("runs/defences/smoothing")
IMAGES = 100
SELECT, SAMPLES, ALPHA = 100, 10_000, 0.001
RADII = (0.0, 0.25, 0.5, 0.75, 1.0)


def as_published(network: Any, sigma: float, images: Any, labels: Any) -> list[float]:
    """The radius up to which each image is certified to be right; below 0 where it is not."""
    import torch
    from scipy.stats import beta

    draw = torch.Generator().manual_seed(1)
    found = []
    with torch.no_grad():
        for image, label in zip(images, labels.tolist(), strict=True):

            def count(copies: int, image: Any = image) -> Any:
                noisy = [
                    image + sigma * torch.randn((min(1000, copies - first), *image.shape), generator=draw)
                    for first in range(0, copies, 1000)
                ]
                return sum(network(one).argmax(dim=1).bincount(minlength=10) for one in noisy)

            best = int(count(SELECT).argmax())
            hits = int(count(SAMPLES)[best])
            low = float(beta.ppf(ALPHA, hits, SAMPLES - hits + 1)) if hits else 0.0
            found.append(sigma * NormalDist().inv_cdf(low) if low > 0.5 and best == label else -1.0)
    return found


def main() -> None:
    import torch

    import hauberk
    from hauberk.evaluation.certify import certify, make_certifier

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", nargs="?", type=Path, default=PACKAGE)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    model = hauberk.load(options.package)
    smoothing = model.defences[0]
    bare = model.module.eval()
    assert len(model.defences) == 1
    test = hauberk.datasets.load("mnist", split="test").head(IMAGES)

    started = time.process_time()
    method = make_certifier("smoothing", select=SELECT, samples=SAMPLES, alpha=ALPHA)
    ours = certify(model, test, hauberk.L2(1.0), method=method, seed=0)
    ours_s = time.process_time() - started
    mine = [
        one.radius if one.radius is not None and one.prediction == one.label else -1.0
        for one in ours.certificates
    ]
    started = time.process_time()
    theirs = as_published(bare, smoothing.sigma, test.images, test.labels)
    theirs_s = time.process_time() - started

    result = {
        "question": __doc__.strip().splitlines()[0],
        "machine": f"{platform.machine()}, one core",
        "versions": {name: metadata.version(name) for name in ("hauberk", "torch", "scipy")},
        "images": IMAGES,
        "sigma": smoothing.sigma,
        "select": SELECT,
        "samples": SAMPLES,
        "alpha": ALPHA,
        "radii": [
            {
                "eps": eps,
                "hauberk": sum(one > eps for one in mine) / IMAGES,
                "as_published": sum(one > eps for one in theirs) / IMAGES,
            }
            for eps in RADII
        ],
        "seconds": {"hauberk": round(ours_s, 1), "as_published": round(theirs_s, 1)},
        "ratio": round(ours_s / theirs_s, 2),
    }
    (HERE / "results" / "smoothing.json").write_text(json.dumps(result, indent=1) + "\n")
    text = render(result)
    put(README, "smoothing", text)
    print(text)


def render(result: dict[str, Any]) -> str:
    """The record as Markdown."""
    lines = ["| L2 radius | `hauberk certify` | as published |", "| ---: | ---: | ---: |"]
    lines += [
        f"| {one['eps']:g} | {one['hauberk']:.1%} | {one['as_published']:.1%} |" for one in result["radii"]
    ]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    ours_s, theirs_s = result["seconds"]["hauberk"], result["seconds"]["as_published"]
    lines += [
        "",
        f"{result['images']} MNIST test images, sigma {result['sigma']:g}, {result['samples']:,} copies, "
        f"alpha {result['alpha']:g}. Processor seconds: {ours_s:.0f} and {theirs_s:.0f}, ratio "
        f"{result['ratio']:.2f}.",
        f"{versions}; {result['machine']}.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
