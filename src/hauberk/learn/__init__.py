"""Attacks to try oneself, a minute each: fool a model, poison it, steal it, find the leak, catch the thief.

Whoever has broken a model once reads a robustness figure differently. Each exercise makes a small model on the
embedded digits, lets the learner choose and predict, does what the library does in earnest, and says what
happened, why, and what would have protected.

    exercise     what an exercise is: questions, a run, figures
    lab          the small model that most exercises begin with
    texts        the words, in English and Chinese; no exercise holds any
    telling      words, answers and figures put together
    progress     which exercises were done, kept where the learner asks for it

Importing this loads neither torch nor an exercise.
"""

from __future__ import annotations

import importlib

from hauberk.core.errors import check_known
from hauberk.learn.exercise import Exercise

EXERCISES = ("fool", "harden", "poison", "steal", "leak", "catch", "watch")
"""In the order in which they are meant to be done."""


def find(name: str) -> Exercise:
    """An exercise by its name.

    Raises:
        UnknownName: there is none of that name.
    """
    check_known([name], EXERCISES, what="exercise", where="hauberk learn")
    made: Exercise = importlib.import_module(f"hauberk.learn.{name}").EXERCISE
    return made


__all__ = ["EXERCISES", "Exercise", "find"]
