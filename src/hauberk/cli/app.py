"""The command group, and what errors look like: ``error: …``, ``hint: …`` and an exit code."""

from __future__ import annotations

import traceback
from importlib import metadata

import click

from hauberk.cli.lazy import LazyGroup
from hauberk.core.errors import HauberkError

_VERBS = {
    "Begin": {
        "quickstart": "train, attack, harden, measure and report on embedded data",
        "run": "carry out a recipe",
        "train": "train a built-in network",
        "import": "bring in a Keras, ONNX, torch.export, Hugging Face or MLflow model",
        "export": "hand a package on to Hugging Face's folders or to MLflow",
        "info": "show what a model package is",
        "learn": "attack and protect a small model yourself, an exercise a minute",
    },
    "Attack": {
        "attack": "attack a model package",
        "infer": "ask what a model tells about the people in its training data",
        "extract": "steal a model package through its answers, and measure the theft",
        "poison": "poison training data and measure the damage",
    },
    "Harden": {
        "harden": "make a hardened model package",
        "cleanse": "find poisoned data or a backdoor, mend the model, measure before and after",
    },
    "Measure": {
        "evaluate": "measure accuracy in the worst case",
        "certify": "show for which samples no attack can succeed",
        "detect": "measure what a detector of adversarial inputs is worth",
        "sweep": "measure what pruning, fewer bits or over-fitting do to robustness",
        "report": "turn evidence into an HTML report",
        "bom": "write what a model is made of (CycloneDX ML-BOM)",
    },
    "Protect a finished model": {
        "scan": "look for what could run code in foreign model files",
        "watermark": "mark a model as one's own, and find the mark again",
        "trace": "give every recipient a copy of his own, and find who leaked one",
        "obfuscate": "permute, rescale and rename a model's weights with a key, and back",
        "sign": "sign every file of a model package",
        "verify": "check a package against its signature",
        "keygen": "make a key for opening sealed models",
        "seal": "encrypt a model package for its recipients",
        "open": "check a sealed model, or turn it into a package again",
        "rewrap": "change who can open a sealed model",
        "inspect": "show what a sealed model tells without a key",
    },
    "Record and keep": {
        "ledger": "keep what happened in a log that outsiders can check",
        "history": "print a model's whole life, each step with its proof",
        "vault": "keep models, encrypted and in immutable versions, and hand them out",
        "access": "say who may enter a vault and what he may do, and see who did",
        "backup": "back up a vault; list, check, drill and schedule backups",
        "restore": "make a vault out of a backup, verified",
    },
    "Assess": {
        "audit": "yes or no: does a package, a vault, a server or a repository meet the policy",
        "waive": "sign that a finding of an audit is known and accepted, for a time",
    },
    "Serve": {
        "serve": "answer predictions over HTTP",
        "top": "watch a prediction server in the terminal",
        "guard": "see what the guard of callers found, and forgive",
    },
    "People in data": {
        "data": "find and treat what data tells about people",
    },
}

_INTERRUPTED = 130  # what shells expect after Ctrl-C


@click.group(
    cls=LazyGroup,
    commands_in="hauberk.cli",
    sections=_VERBS,
    noun="verb",
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: hauberk quickstart --out runs/first, then open runs/first/report.html",
)
@click.version_option(metadata.version("hauberk"), message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def group(ctx: click.Context, debug: bool) -> None:
    """Armour for deep-learning models: train, attack, harden, measure, and leave evidence."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code is 0, 1, 2 or 3, or 130 after Ctrl-C."""
    debug = "--debug" in arguments
    if debug:  # wherever it stands
        arguments = ["--debug", *(one for one in arguments if one != "--debug")]
    try:
        result = group.main(args=arguments, prog_name="hauberk", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Abort:
        return _stopped()
    except KeyboardInterrupt:
        return _stopped()
    except click.ClickException as error:
        return _usage(error)
    except SystemExit:  # click's answer to a reader that went away
        return 3  # whatever was to be checked was not: neither a pass nor a failure
    except Exception as error:  # noqa: BLE001 (the last line of defence turns everything into one clear line)
        if debug:
            traceback.print_exc()
        return _failed(error)


def _say(message: str, hint: str | None) -> None:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def _stopped() -> int:
    _say("stopped", "hauberk run, quickstart and evaluate go on where they stopped when called again")
    return _INTERRUPTED


def _usage(error: click.ClickException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hauberk"
    _say(error.format_message().replace("\n", " "), f"{path} --help")
    return 2


def _failed(error: Exception) -> int:
    if isinstance(error, HauberkError):
        _say(str(error), error.hint)
        return error.exit_code
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "out of memory" in str(error):
        _say("out of memory", "use fewer --samples, or a smaller --batch-size")
        return 3
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        _say(f"{error.strerror or error}{where}", None)
        return 3
    first = (str(error).splitlines() or [""])[0]
    _say(
        f"unexpected {type(error).__name__}: {first}", "run again with --debug for the traceback, and report it"
    )
    return 3
