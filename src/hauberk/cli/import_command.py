from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hauberk.cli import common

if TYPE_CHECKING:
    from hauberk.models import Package


def _numbers(text: str, option: str, kind: type) -> list[Any]:
    from hauberk.core.errors import ConfigError

    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"{option} takes numbers separated by commas, got '{text}'") from None


@click.command("import", epilog="Example: hauberk import mnist_model.h5 --out models/mine")
@click.argument("file", metavar="FILE|DIR|URI")
@click.option(
    "--factory", default=None, metavar="MODULE:FUNCTION", help="Builds the network for a file of weights."
)
@click.option("--args", "arguments", default=None, metavar="JSON", help="Keyword arguments of the factory.")
@click.option("--input-shape", default=None, metavar="C,H,W", help="Shape of one image.")
@click.option("--labels", default=None, metavar="A,B,...", help="Names of the classes [default: 0, 1, ...].")
@click.option(
    "--bounds", default="0,1", show_default=True, metavar="LOW,HIGH", help="Valid range of the input."
)
@click.option("--mean", default=None, metavar="M,...", help="Subtracted per channel, inside the package.")
@click.option("--std", default=None, metavar="S,...", help="Divided by per channel, inside the package.")
@click.option("--outputs", type=click.Choice(["logits", "probabilities", "log-probabilities"]), default=None)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="The package to write.")
@common.force_option
@common.json_option
def command(
    file: str,
    factory: str | None,
    arguments: str | None,
    input_shape: str | None,
    labels: str | None,
    bounds: str,
    mean: str | None,
    std: str | None,
    outputs: Any,
    out: Path,
    force: bool,
    as_json: bool,
) -> None:
    """Bring in a model: Keras (.h5, .keras), ONNX, torch.export (.pt2), weights (.safetensors, .pt) with a
    factory, a Hugging Face folder, or models:/NAME/VERSION of MLflow. Naming a factory allows its code to run,
    now and when the package is loaded on this account.

    All is scanned first (hauberk scan), and refused if anything is found."""
    from hauberk.core.errors import ConfigError
    from hauberk.core.files import refuse_overwrite
    from hauberk.integrations.sources import bring_in, opened_source
    from hauberk.models import save

    refuse_overwrite(out, force=force)
    if (mean is None) != (std is None):
        raise ConfigError("--mean and --std go together")
    try:
        parsed = json.loads(arguments) if arguments else None
    except ValueError as error:
        raise ConfigError(f"--args is not valid JSON: {error}") from error
    if parsed is not None and not isinstance(parsed, dict):
        raise ConfigError("--args takes a JSON object, such as '{\"width\": 32}'")
    limits = _numbers(bounds, "--bounds", float)
    if len(limits) != 2:
        raise ConfigError(f"--bounds takes LOW,HIGH, got '{bounds}'")
    options: dict[str, Any] = {
        "factory": factory,
        "args": parsed,
        "input_shape": tuple(_numbers(input_shape, "--input-shape", int)) if input_shape else None,
        "labels": labels.split(",") if labels else None,
        "bounds": (limits[0], limits[1]),
        "normalization": (_numbers(mean, "--mean", float), _numbers(std, "--std", float))
        if mean and std
        else None,
        "outputs": outputs,
    }
    with opened_source(file) as (place, whole):
        if whole is not None:
            _adopted(file, whole, out, options, as_json)
            return
        imported = bring_in(place, **options)
    package = save(imported.classifier, out, overwrite=force)
    result = imported.evidence.result
    if as_json:
        common.print_json(
            {"package": str(out), "digest": package.digest, "model": package.model_digest, **result}
        )
        return
    shape = "x".join(map(str, imported.classifier.input_shape))
    click.echo(f"{out}: input {shape}, {imported.classifier.num_classes} classes")
    for line in result.get("conversions", []):
        click.echo(f"  {line}")
    if result.get("largest_difference") is not None:
        click.echo(f"  largest difference from the original's outputs: {result['largest_difference']:.2g}")


def _adopted(source: str, whole: Package, out: Path, options: dict[str, Any], as_json: bool) -> None:
    """A package that comes in as it is."""
    from hauberk.core.errors import ConfigError
    from hauberk.integrations.mlflow.pulling import adopt

    given = [name for name, value in options.items() if value is not None and name != "bounds"]
    if given:
        raise ConfigError(f"{source} is a package already; leave out --{given[0].replace('_', '-')}")
    package = adopt(whole, out)
    if as_json:
        common.print_json({"package": str(out), "digest": package.digest, "model": package.model_digest})
        return
    shape = "x".join(map(str, package.manifest["input"]["shape"]))
    click.echo(f"{out}: input {shape}, {len(package.manifest['labels'])} classes, the package as it was pushed")
