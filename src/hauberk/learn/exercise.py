"""What an exercise is: a few questions to the learner, and a run that answers with figures.

An exercise holds no words for people; ``texts`` does, in each language, under the exercise's name and the
question's key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hauberk.core.errors import ConfigError, check_known
from hauberk.core.progress import Progress

Answers = Mapping[str, float | str]


@dataclass(frozen=True, kw_only=True)
class Number:
    """A question that a number answers.

    Args:
        low, high: least and greatest answer.
        default: what is taken where nobody is asked.
        whole: a whole number is wanted.
    """

    key: str
    low: float
    high: float
    default: float
    whole: bool = True

    def parse(self, text: str) -> float:
        """The answer as a number.

        Raises:
            ConfigError: it is none, or out of range.
        """
        try:
            value = float(text.strip().removesuffix("%"))
        except ValueError:
            value = float("nan")
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            what = "a whole number" if self.whole else "a number"
            raise ConfigError(f"{self.key} is {what} from {self.low:g} to {self.high:g}, got '{text.strip()}'")
        return int(value) if self.whole else value


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A question with a few answers to choose from, named as they are typed."""

    key: str
    choices: tuple[str, ...]
    default: str

    def parse(self, text: str) -> str:
        """The answer.

        Raises:
            UnknownName: it is none of the choices.
        """
        word = text.strip().lower()
        check_known([word], self.choices, what="answer", where=f"the question '{self.key}'")
        return word


Question = Number | Choice


@dataclass(frozen=True)
class Picture:
    """An image to draw in the terminal.

    Args:
        rows: ink from 0 to 1.
        read_as: the label that the model gives it.
        certainty: the model's probability for that label.
    """

    rows: Sequence[Sequence[float]]
    read_as: str
    certainty: float


@dataclass(frozen=True)
class Guess:
    """A prediction and the truth; ``close`` is how far a number may be off and still be called close."""

    guessed: float | str
    truth: float | str
    close: float = 0.0

    @property
    def right(self) -> bool:
        if isinstance(self.guessed, str) or isinstance(self.truth, str):
            return self.guessed == self.truth
        return abs(self.guessed - self.truth) <= self.close


@dataclass(frozen=True)
class Outcome:
    """What an exercise found.

    Args:
        figures: for the sentences of ``texts``, by the name that stands there in braces.
        guess: what the learner predicted, and what came.
        pictures: before and after, side by side.
        case: which of several endings the text has; "" where there is one.
    """

    figures: Mapping[str, float | int | str]
    guess: Guess
    pictures: tuple[Picture, ...] = field(default=())
    case: str = ""


class Exercise(Protocol):
    """A configured exercise.

    ``facts`` are the figures that its story names, which are known beforehand.
    """

    @property
    def name(self) -> str: ...

    @property
    def facts(self) -> Mapping[str, int | str]: ...

    @property
    def questions(self) -> tuple[Question, ...]: ...

    def run(self, answers: Answers, *, seed: int, progress: Progress) -> Outcome:
        """Do it.

        Args:
            answers: one for each question, as ``parse`` gives it.
            seed: names all random choices: the same answers and seed give the same outcome.
        """


def answered(exercise: Exercise, given: Mapping[str, str]) -> dict[str, float | str]:
    """All answers: those given, and the defaults of the other questions.

    Raises:
        UnknownName: an answer to a question that is not asked.
        ConfigError: an answer that does not fit its question.
    """
    keys = [one.key for one in exercise.questions]
    check_known(given, keys, what="question", where=f"the exercise '{exercise.name}'")
    return {
        one.key: one.parse(given[one.key]) if one.key in given else one.default for one in exercise.questions
    }
