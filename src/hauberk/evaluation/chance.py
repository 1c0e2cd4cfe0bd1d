"""Where a randomised model's chance comes from while it is measured.

Parts that draw each answer anew ask torch's global generators. Left at that, no figure could be had twice, and
measuring would disturb whoever draws next. So a measurement lends these generators a state that follows from
its seed, and leaves them as they were.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch

from hauberk.core.seeds import derive_seed
from hauberk.models.checks import check_classifier

_Given = ParamSpec("_Given")
_Measured = TypeVar("_Measured")


@contextmanager
def drawing(device: torch.device, seed: int, *use: str | int) -> Iterator[None]:
    """Meanwhile the global generators, of the CPU and of ``device``, are those of ``seed`` for the use named.

    Limits: on an accelerator the draws are others than on the CPU.
    """
    own = derive_seed(seed, "answers", *use)
    others = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(devices=others, device_type=device.type):
        # one by one: torch.manual_seed would seed the devices that are not given back, too
        torch.default_generator.manual_seed(own)
        for one in others:
            state = torch.Generator(one).manual_seed(own).get_state()
            torch.get_device_module(one).set_rng_state(state, one)
        yield


def repeatable(measure: Callable[_Given, _Measured]) -> Callable[_Given, _Measured]:
    """A measurement of a classifier, its first argument, whose ``seed`` names the classifier's draws as well.

    Raises:
        ConfigError: the first argument is no classifier in eval mode.
    """
    signature = inspect.signature(measure)

    @functools.wraps(measure)
    def measured(*args: _Given.args, **kwargs: _Given.kwargs) -> _Measured:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        classifier = check_classifier(next(iter(given.arguments.values())))
        with drawing(classifier.device, given.arguments["seed"], measure.__name__):
            return measure(*args, **kwargs)

    return measured
