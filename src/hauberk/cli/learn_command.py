from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from hauberk.cli import common
from hauberk.core.errors import ConfigError

if TYPE_CHECKING:
    from hauberk.learn.exercise import Exercise, Outcome, Question


@click.command("learn", epilog="Example: hauberk learn fool --answer radius=0.2 --answer guess=90")
@click.argument("name", metavar="[EXERCISE]", required=False)
@click.option(
    "--answer", "given", multiple=True, metavar="KEY=VALUE", help="Answer a question beforehand; repeatable."
)
@click.option("--yes", is_flag=True, help="Ask nothing: take the usual answer where none was given.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
@click.option("--keep", is_flag=True, help="Write down in your settings folder that it was done.")
@common.seed_option
@common.json_option
def command(
    name: str | None,
    given: tuple[str, ...],
    yes: bool,
    lang: Literal["en", "zh"],
    keep: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Attack and protect a small model on embedded digits, and predict what will happen.

    Without EXERCISE it lists them. In a terminal it asks; in a script it takes --answer and usual answers.
    """
    from hauberk import learn
    from hauberk.learn import exercise, progress, telling

    folder = _folder()
    if name is None:
        if given or keep:
            raise ConfigError("name the exercise that is meant", hint="hauberk learn fool")
        names = progress.done(folder)
        if as_json:
            common.print_json({"exercises": list(learn.EXERCISES), "done": sorted(names)})
        else:
            click.echo(telling.listing(lang, names))
        return
    chosen = learn.find(name)
    typed = _pairs(given)
    exercise.answered(chosen, typed)  # what was typed is refused before anything is told
    asking = not (yes or as_json) and sys.stdin.isatty()
    if not as_json:
        click.echo(telling.opening(name, lang, chosen.facts) + "\n")
    for question in chosen.questions:
        if question.key not in typed:
            typed[question.key] = _ask(question, telling.question(name, lang, question), asking)
        if not (asking or as_json):
            click.echo(f"{telling.question(name, lang, question)}: {typed[question.key]}")
    answers = exercise.answered(chosen, typed)
    outcome = chosen.run(answers, seed=seed, progress=common.Bars())
    if keep:
        common.say(f"kept: {progress.keep(folder, name)}")
    if as_json:
        common.print_json(_document(chosen, answers, seed, outcome))
    else:
        click.echo("\n" + telling.ending(name, lang, outcome))


def _ask(question: Question, text: str, asking: bool) -> str:
    """The answer as typed; in a script the usual one."""
    usual = f"{question.default:g}" if isinstance(question.default, int | float) else question.default
    if not asking:
        return usual

    def fitting(typed: str) -> str:
        try:
            question.parse(typed)
        except ConfigError as error:
            raise click.UsageError(str(error)) from error  # click asks again
        return typed

    answer: str = click.prompt(text, default=usual, value_proc=fitting)
    return answer


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            raise ConfigError(f"--answer takes KEY=VALUE, got '{one}'")
        if key in pairs:
            raise ConfigError(f"'{key}' is answered twice")
        pairs[key] = value
    return pairs


def _folder() -> Path:
    from hauberk.core.files import settings_folder

    return settings_folder()


def _document(exercise: Exercise, answers: Any, seed: int, outcome: Outcome) -> dict[str, Any]:
    return {
        "exercise": exercise.name,
        "answers": dict(answers),
        "seed": seed,
        "figures": dict(outcome.figures),
        "guess": {"guessed": outcome.guess.guessed, "truth": outcome.guess.truth, "right": outcome.guess.right},
    }
