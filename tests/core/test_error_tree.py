"""Errors: branches by what the caller can do, exit codes, nearest names, and a way through a pickle."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core import errors
from hauberk.core.errors import (
    AccessDenied,
    BudgetExceeded,
    ConfigError,
    DataError,
    DependencyMissing,
    EnvironmentFailure,
    HauberkError,
    IntegrityError,
    NoIdentityMatched,
    PolicyViolation,
    TrailUnavailable,
    UnknownName,
    UnsupportedModel,
    check_known,
)

# class, builtin that it also is, exit code: interface, so written out here a second time
TREE = [
    (ConfigError, ValueError, 2),
    (UnknownName, ConfigError, 2),
    (DataError, ValueError, 2),
    (IntegrityError, Exception, 1),
    (NoIdentityMatched, IntegrityError, 1),
    (AccessDenied, PermissionError, 1),
    (TrailUnavailable, AccessDenied, 3),
    (PolicyViolation, Exception, 1),
    (BudgetExceeded, Exception, 1),
    (UnsupportedModel, TypeError, 3),
    (DependencyMissing, ImportError, 3),
    (EnvironmentFailure, OSError, 3),
]


@pytest.mark.parametrize(("kind", "builtin", "code"), TREE)
def test_each_branch_has_its_builtin_and_exit_code(kind: type[HauberkError], builtin: type, code: int) -> None:
    assert issubclass(kind, HauberkError)
    assert issubclass(kind, builtin)
    assert kind.exit_code == code


def test_the_table_above_is_the_whole_tree() -> None:
    found = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, HauberkError)}
    assert found == {kind for kind, _, _ in TREE} | {HauberkError}


def test_a_failed_verification_is_not_a_value_error() -> None:
    for forgiving in (ValueError, TypeError, OSError, LookupError):
        assert not issubclass(IntegrityError, forgiving)


@pytest.mark.parametrize("kind", [kind for kind, _, _ in TREE])
def test_message_hint_and_facts_survive_a_pickle(kind: type[HauberkError]) -> None:
    error = kind("what went wrong", hint="what to do", path="/a/b", count=3)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "what went wrong"
    assert again.hint == "what to do"
    assert again.facts == {"path": "/a/b", "count": 3}


def test_a_missing_extra_names_the_install_line() -> None:
    error = DependencyMissing.extra("reading ONNX files", "onnx")
    assert error.hint == "pip install 'hauberk[onnx]'"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown key 'epohcs' in the plan; did you mean 'epochs'") as caught:
        check_known(["steps", "epohcs"], ["epochs", "steps"], what="key", where="the plan")
    assert caught.value.facts == {"name": "epohcs", "nearest": "epochs"}


def test_a_name_like_no_other_lists_what_is_known() -> None:
    with pytest.raises(UnknownName, match="known: epochs, steps") as caught:
        check_known(["zzz"], ["steps", "epochs"], what="key", where="the plan")
    assert caught.value.facts["nearest"] is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=5), unique=True), st.lists(st.text(max_size=5)))
def test_exactly_the_known_names_pass(known: list[str], names: list[str]) -> None:
    if set(names) <= set(known):
        check_known(names, known, what="name", where="here")
    else:
        with pytest.raises(UnknownName):
            check_known(names, known, what="name", where="here")
