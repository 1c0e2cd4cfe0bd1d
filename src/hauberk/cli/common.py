"""What the verbs share: options defined once, progress bars, where evidence goes."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hauberk.core.errors import ConfigError, EnvironmentFailure
from hauberk.core.evidence import Evidence

if TYPE_CHECKING:
    from hauberk.datasets import Dataset
    from hauberk.models import Classifier, Package
    from hauberk.threats import ThreatModel

_Command = TypeVar("_Command", bound=Callable[..., Any])

package_argument = click.argument("package", metavar="PKG", type=click.Path(path_type=Path))
SEED = click.IntRange(0, 2**53 - 1)  # what a JSON number keeps exactly
seed_option = click.option("--seed", type=SEED, default=0, show_default=True, help="Names all random choices.")
trainers_option = click.option(
    "--workers", default="1", show_default=True, metavar="W",
    help="1 (this process), or ray:2 for two workers of Ray Train, which share every batch.",
)  # fmt: skip
device_option = click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, mps.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
force_option = click.option("--force", is_flag=True, help="Replace an earlier package at --out.")
set_option = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A further setting; repeatable."
)
data_option = click.option(
    "--data", required=True, metavar="NAME", help="digits, mnist, fashion or cifar10-jpeg."
)
samples_option = click.option(
    "--samples", type=int, default=None, metavar="N", help="The first N test images [default: all]."
)


def record_option(beside: str) -> Callable[[_Command], _Command]:
    """``--evidence`` of a command whose record goes beside an argument or an option."""
    return click.option(
        "--evidence",
        type=click.Path(path_type=Path),
        default=None,
        metavar="DIR",
        help=f"Where the record goes [default: the folder 'evidence' beside {beside}].",
    )


evidence_option = record_option("PKG")


def threat_options(command: _Command) -> _Command:
    """``--norm`` and ``--eps``."""
    command = click.option(
        "--eps", type=float, required=True, metavar="E", help="Radius, in the model's own input scale."
    )(command)
    return click.option(
        "--norm", default="linf", show_default=True, metavar="NORM", help="linf, l2, l1 or l0."
    )(command)


def attacker_options(command: _Command) -> _Command:
    """``--knowledge``, ``--queries`` and ``--target``: what the attacker sees, may ask and wants."""
    command = click.option(
        "--target", type=int, default=None, metavar="CLASS", help="Make it say this class (targeted)."
    )(command)
    command = click.option(
        "--queries",
        type=int,
        default=None,
        metavar="Q",
        help="Questions per image at most [default: no limit].",
    )(command)
    return click.option(
        "--knowledge", default="white-box", show_default=True, metavar="WHAT",
        help="What the attacker sees: white-box, scores or labels.",
    )(command)  # fmt: skip


def threat_of(norm: str, eps: float, knowledge: str, queries: int | None, target: int | None) -> ThreatModel:
    """The threat model that the options describe."""
    from hauberk.threats import ThreatModel, geometry

    return ThreatModel(
        geometry(norm, eps),
        targeted=target is not None,
        knowledge=knowledge,  # type: ignore[arg-type]  # a word becomes a Knowledge, or is refused
        queries=queries,
    )


def parse_settings(settings: tuple[str, ...]) -> dict[str, Any]:
    """``key=value`` pairs with TOML values; a bare word is a string."""
    result: dict[str, Any] = {}
    for one in settings:
        key, equals, text = one.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key.isidentifier():
            raise ConfigError(f"--set takes KEY=VALUE, got '{one}'")
        if key in result:
            raise ConfigError(f"'{key}' is set twice")
        try:
            result[key] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            result[key] = text
    return result


def split_settings(settings: Mapping[str, Any], kind: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings that are fields of the dataclass ``kind``, and all others."""
    names = {one.name for one in fields(kind)}
    own = {key: value for key, value in settings.items() if key in names}
    return own, {key: value for key, value in settings.items() if key not in names}


def add_options(settings: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Settings with the options that were given, each of them in one place only."""
    given = {key: value for key, value in options.items() if value is not None}
    twice = sorted(given.keys() & settings.keys())
    if twice:
        raise ConfigError(f"'{twice[0]}' is given twice: as an option and with --set")
    return {**settings, **given}


def check_device(name: str) -> str:
    """The device, if this machine has it."""
    import torch

    try:
        torch.zeros(1, device=torch.device(name))
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise EnvironmentFailure(f"device '{name}' cannot be used: {reason}", hint="--device cpu") from error
    return name


def evidence_folder(package: Path, chosen: Path | None) -> Path:
    """Where a verb that looks at ``package`` leaves its record."""
    return chosen or package.resolve().parent / "evidence"


def keep(evidence: Evidence, folder: Path, package: Path) -> Path:
    """Save a record under the package's name and say where it is."""
    stem = f"{evidence.kind}-{package.resolve().name}-{evidence.digest[7:15]}"
    path = evidence.save(folder, stem)
    click.echo(f"evidence: {path}", err=True)
    return path


def print_json(document: Mapping[str, Any]) -> None:
    click.echo(json.dumps(document, indent=1, ensure_ascii=False))


def print_measured(evidence: Evidence, *shown: str, without: tuple[str, ...] = ()) -> None:
    """A measurement as JSON: what was measured, the parameters ``shown``, and the result.

    Args:
        without: entries of the result that are pictures.
    """
    print_json(
        {
            "subject": dict(evidence.subject),
            "data": evidence.inputs["dataset"],
            **{name: evidence.parameters[name] for name in shown},
            "seed": evidence.seed,
            **{name: value for name, value in evidence.result.items() if name not in without},
            "duration_s": evidence.duration_s,
            "evidence": evidence.digest,
        }
    )


def show_trained(model: Classifier, package: Package, test: Dataset, as_json: bool, what: str) -> None:
    """What ``train`` and ``harden`` print of the package that they wrote."""
    from hauberk.models.training import accuracy

    right = accuracy(model, test.images, test.labels)
    spent = model.evidence[-1].result.get("privacy")
    if as_json:
        print_json(
            {
                "package": str(package.path),
                "digest": package.digest,
                "model": package.model_digest,
                "test_accuracy": right,
                "history": model.evidence[-1].result.get("history", []),  # none of what does not train
                **({"privacy": spent} if spent else {}),
            }
        )
    else:
        click.echo(f"{package.path}: {what}, {right:.2%} right on {len(test)} test images")
        if spent:
            click.echo(
                f"privacy: epsilon {spent['epsilon']:.3f} at delta {spent['delta']:g}, {spent['unit']} "
                f"{spent['adjacency']} ({spent['steps']} steps, noise {spent['noise_multiplier']:.3f})"
            )


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def say(text: str) -> None:
    """News for the person at the terminal; never part of the result."""
    click.echo(text, err=True)


class Bars:
    """Progress bars on standard error; plain lines where that is not a terminal."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bars: Progress | None = None
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self.end)  # a stopped or failed run gives the cursor back
        self._task: TaskID | None = None

    def begin(self, title: str, total: int) -> None:
        self.end()
        if not sys.stderr.isatty():
            self._console.print(f"{title} …", highlight=False)
            return
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._bars.start()
        self._task = self._bars.add_task(title, total=total, note="")

    def advance(self, ticks: int = 1, note: str = "") -> None:
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=ticks, note=note)

    def end(self) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
