"""Laws of obfuscation: the same answers, other weights, the original back, and nothing broken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from obfuscation_networks import CLASSES, NETWORKS, Foreign, classifier_of, images, network
from torch import Tensor, nn

import hauberk
from hauberk.core.errors import AccessDenied, ConfigError, DataError, IntegrityError, UnsupportedModel
from hauberk.core.evidence import Evidence
from hauberk.models import Classifier
from hauberk.models.architectures import build
from hauberk.models.parts import JPEG, Mahalanobis
from hauberk.models.parts.distances import penultimate
from hauberk.models.several import ensemble
from hauberk.protection.obfuscate import Key, Obfuscation, obfuscate, reverse
from hauberk.protection.obfuscate.moving import exponents_of
from hauberk.protection.obfuscate.plan import analyse
from hauberk.protection.obfuscate.pointwise_rules import homogeneous
from hauberk.protection.obfuscate.program import Call, Program
from hauberk.protection.obfuscate.rules import RULES
from hauberk.protection.obfuscate.walk import Walk

KEY, OTHER = Key(bytes(range(32))), Key(bytes(range(1, 33)))
KEPT = Obfuscation(keep_architecture=True)
FORMS = {
    "program": Obfuscation(),
    "kept": KEPT,
    "dummies": Obfuscation(dummies=2),
}


@torch.no_grad()
def apart(one: Classifier, other: Classifier, x: Tensor | None = None) -> float:
    """The largest difference of logits, as a share of the largest logit, computed in float64 from float32."""
    x = images() if x is None else x
    a, b = (model(x).double() for model in (one, other))
    return float((a - b).abs().max() / a.abs().max())


def same_state(one: Classifier, other: Classifier) -> bool:
    a, b = one.weights(), other.weights()
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and a[name].numpy().tobytes() == b[name].numpy().tobytes() for name in a
    )


@pytest.mark.parametrize(
    ("name", "form"),
    [("residual", "program"), *((name, form) for name in NETWORKS for form in ("kept", "dummies"))],
)
def test_answers_stay_and_the_original_comes_back(name: str, form: str) -> None:
    model = network(name)
    before = model.weights()
    made = obfuscate(model, KEY, FORMS[form])
    hidden, result = made.classifier, made.evidence.result
    assert apart(model, hidden) <= 1e-5
    assert all(torch.equal(one, model.weights()[at]) for at, one in before.items())  # the original is untouched
    assert result["permuted_share"] > 0.85
    assert result["unknown_operations"] == {}
    back = reverse(hidden, KEY)
    assert same_state(model, back)
    assert back.evidence[-1].result == {"exact": True}
    assert back.digest == model.digest


def test_the_largest_built_in_architecture() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = classifier_of(build("preact-resnet18", (3, 8, 8), CLASSES), shape=(3, 8, 8))
    model.architecture = {"name": "preact-resnet18", "args": {}}
    hidden = obfuscate(model, KEY).classifier
    assert apart(model, hidden, images(8, (3, 8, 8))) <= 1e-5
    back = reverse(hidden, KEY)
    assert same_state(model, back)
    assert back.digest == model.digest


def weight_rows(model: Classifier) -> list[Tensor]:
    return [one.flatten(1) for name, one in sorted(model.weights().items()) if one.ndim > 1]


def test_keys_decide() -> None:
    model = network("mlp")
    one, again, other = (obfuscate(model, key, KEPT).classifier for key in (KEY, KEY, OTHER))
    assert same_state(one, again)
    for a, b in zip(weight_rows(one), weight_rows(other), strict=True):
        assert not torch.equal(a, b)
    a, b = (obfuscate(model, key).classifier.weights() for key in (KEY, KEY))
    sealed = {name for name in a if not torch.equal(a[name], b[name])}
    assert {a[name].dtype for name in sealed} == {torch.uint8}  # what reversal needs, encrypted anew
    assert len(sealed) == 1


def test_no_row_keeps_its_place_more_often_than_chance() -> None:
    """A uniform permutation has one fixed point on average, whatever its size.

    Two groups and 5 keys make about Poisson(10); more than 30 happens once in ten million runs.
    """
    model = network("mlp")
    stayed = 0
    for seed in range(5):
        hidden = obfuscate(model, Key(bytes([seed] * 32)), Obfuscation(keep_architecture=True, rescale=False))
        old, new = model.weights(), hidden.classifier.weights()
        for bias in ("1.bias", "3.bias"):  # each entry differs from all others
            stayed += int((old[bias] == new[bias]).sum())
            assert torch.equal(old[bias].sort().values, new[bias].sort().values)
    assert 0 < stayed <= 30


def test_rescaling_is_by_powers_of_two_and_reaches_most_rows() -> None:
    model = network("mlp")
    hidden = obfuscate(model, KEY, KEPT).classifier
    old, new = (one.weights()["1.bias"].abs() for one in (model, hidden))
    mantissas = [torch.frexp(one).mantissa.sort().values for one in (old, new)]
    assert torch.equal(*mantissas)
    assert not torch.allclose(old.sort().values, new.sort().values)


def test_what_is_not_understood_is_left_alone_and_told() -> None:
    model = classifier_of(Foreign())
    for settings in (Obfuscation(), KEPT):
        made = obfuscate(model, KEY, settings)
        assert made.evidence.result["unknown_operations"] == {"cumsum": 1}
        assert "cumsum" in made.left_alone["second.bias"]
        assert apart(model, made.classifier) <= 1e-5
    moved = obfuscate(model, KEY, KEPT).classifier.weights()
    assert torch.equal(moved["second.bias"], model.weights()["second.bias"])
    assert not torch.equal(moved["first.bias"], model.weights()["first.bias"])


def test_a_wrong_rule_is_caught_before_anything_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RULES, "cumsum", homogeneous)
    with pytest.raises(UnsupportedModel, match="differ from the original's"):
        obfuscate(classifier_of(Foreign()), KEY)


def test_a_rule_that_does_not_fit_leaves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfit(walk: Walk, call: Call) -> bool:
        raise KeyError("an argument of another overload")

    monkeypatch.setitem(RULES, "cumsum", unfit)
    model = classifier_of(Foreign())
    made = obfuscate(model, KEY, KEPT)
    assert made.evidence.result["unknown_operations"] == {"cumsum": 1}
    assert apart(model, made.classifier) <= 1e-5


def test_queries_are_rescaled_against_keys_and_values_against_what_reads_them() -> None:
    program = Program.of(network("own-attention"))
    plan = analyse(program, program.shapes((1, 6, 6))).scales
    generator = torch.Generator().manual_seed(0)
    chosen = [torch.randint(1, 4, (size,), generator=generator) for size in plan.sizes]

    def exponents(name: str, dim: int) -> Tensor:
        return exponents_of(plan.trees[f"{name}.weight"][dim], chosen)

    for one, other in (
        (exponents("query", 0), exponents("key", 0)),
        (exponents("value", 0), exponents("out", 1)),
    ):
        assert one.abs().min() > 0
        assert torch.equal(one, -other)


def test_double_precision_is_exact_to_its_own_rounding() -> None:
    model = network("residual").double()
    hidden = obfuscate(model, KEY).classifier
    assert hidden.dtype is torch.float64
    assert apart(model, hidden) < 1e-13
    assert same_state(model, reverse(hidden, KEY))


def test_nothing_to_permute_is_said() -> None:
    with pytest.raises(UnsupportedModel, match="nothing in this network"):
        obfuscate(classifier_of(nn.Sequential(nn.Flatten(), nn.Linear(36, CLASSES))), KEY)


@pytest.fixture
def guarded() -> Classifier:
    """A network behind a transformation and a detector that reads features."""
    model = network("mlp")
    detector = Mahalanobis(CLASSES, 30, threshold=20.0)
    with torch.no_grad():
        x = (images(200) - 0.4) / 0.3
        _, features = penultimate(x, model.module, CLASSES)
        labels = torch.arange(200) % CLASSES
        detector.learn(features + torch.nn.functional.one_hot(labels, 30), labels)
    model.defences = nn.ModuleList([JPEG(), detector])
    return model.eval()


@pytest.mark.parametrize("form", ["program", "kept", "dummies"])
def test_parts_stay_and_see_what_they_saw(guarded: Classifier, form: str) -> None:
    hidden = obfuscate(guarded, KEY, FORMS[form]).classifier
    assert [one.name for one in hidden.defences] == ["jpeg", "mahalanobis"]
    parts = {name: one for name, one in guarded.weights().items() if name.startswith("defences.")}
    assert all(torch.equal(hidden.weights()[name], one) for name, one in parts.items())
    assert apart(guarded, hidden) < 1e-4  # distances amplify rounding
    assert torch.equal(guarded(images()).argmax(1), hidden(images()).argmax(1))
    assert same_state(guarded, reverse(hidden, KEY))


def test_an_ensemble_is_seen_through() -> None:
    whole = ensemble([network("cnn", seed) for seed in (0, 1)])
    for settings in (Obfuscation(), KEPT):
        hidden = obfuscate(whole, KEY, settings).classifier
        assert apart(whole, hidden) <= 1e-5
        assert same_state(whole, reverse(hidden, KEY))


def test_packages_keep_everything(plain_package: Path, tmp_path: Path) -> None:
    model = hauberk.load(plain_package)
    for place, settings in enumerate((Obfuscation(dummies=1), KEPT, Obfuscation(keep_history=False))):
        path = tmp_path / str(place)
        made = obfuscate(model, KEY, settings, name="shipped")
        hauberk.save(made.classifier, path)
        hidden = hauberk.load(path)
        assert hidden.digest == made.classifier.digest == made.evidence.subject["digest"]
        record = hidden.evidence[-1]
        assert record.kind == "obfuscation"
        assert record.parents == (model.evidence[-1].digest,)
        assert len(hidden.evidence) == (len(model.evidence) + 1 if settings.keep_history else 1)
        back = reverse(hidden, KEY)
        assert back.digest == model.digest
        assert back.evidence[-1].result == {"exact": True}
        assert back.evidence[-1].parents == (record.digest,)
        assert [one.digest for one in back.evidence][:-2] == [one.digest for one in model.evidence]
        hauberk.save(back, tmp_path / f"back-{place}")
        original, again = (
            (at / "weights.safetensors").read_bytes() for at in (plain_package, tmp_path / f"back-{place}")
        )
        assert original == again


def test_the_program_says_nothing_of_names_and_norms() -> None:
    model = network("wide-resnet")
    model.architecture = {"name": "wide-resnet", "args": {"depth": 10, "width": 1}}
    hidden = obfuscate(model, KEY).classifier
    graph = json.loads(hidden.module.package_files()["program.json"])
    names = [one["target"] for one in graph["state"].values()]
    names += [*graph["state"], *(str(node["outputs"]) for node in graph["nodes"])]
    assert all(re.fullmatch(r"[tsv]\d+", one) for one in names)
    assert hidden.architecture["name"] == "program"
    statistics = [one for one in model.weights() if one.endswith("running_var")]
    assert hidden.evidence[-1].result["folded_norms"] == len(statistics)
    rows = [one.flatten() for one in hidden.weights().values() if one.ndim == 1]
    for name in statistics:
        known = model.weights()[name].sort().values
        assert not any(len(one) == len(known) and torch.allclose(one.sort().values, known) for one in rows)


def test_twice_obfuscated_comes_back_step_by_step() -> None:
    model = network("residual")
    once = obfuscate(model, KEY).classifier
    twice = obfuscate(once, OTHER).classifier
    assert apart(model, twice) <= 1e-5
    with pytest.raises(AccessDenied, match="not the key"):
        reverse(twice, KEY)
    back = reverse(reverse(twice, OTHER), KEY)
    assert same_state(back, model)
    with pytest.raises(DataError, match="tells of no obfuscation"):
        reverse(back, KEY)


def test_a_copy_that_was_trained_since_comes_back_in_the_original_order() -> None:
    model = network("mlp")
    for settings in (KEPT, Obfuscation()):
        hidden = obfuscate(model, KEY, settings).classifier
        with torch.no_grad():
            for one in hidden.parameters():
                one *= 1 + 1e-3
        back = reverse(hidden, KEY)
        assert back.evidence[-1].result["exact"] is False
        for name, one in back.weights().items():
            assert torch.allclose(one, model.weights()[name] * (1 + 1e-3), rtol=1e-5, atol=1e-7)


def test_changed_recovery_is_refused() -> None:
    hidden = obfuscate(network("mlp"), KEY).classifier
    blob = next(one for one in hidden.buffers() if one.dtype is torch.uint8)
    for place in (0, 20, 60, 100, len(blob) // 2, len(blob) - 1):
        blob[place] ^= 1
        with pytest.raises(IntegrityError):
            reverse(hidden, KEY)
        blob[place] ^= 1
    assert reverse(hidden, KEY).evidence[-1].result["exact"]


def test_the_key_is_in_no_record() -> None:
    made = obfuscate(network("mlp"), KEY)
    text = str(made.evidence.to_json())
    assert bytes(range(32)).hex() not in text
    assert (
        made.evidence.parameters["commitment"]
        != obfuscate(network("mlp"), OTHER).evidence.parameters["commitment"]
    )
    assert Evidence.from_json(made.evidence.to_json()).digest == made.evidence.digest
    assert repr(KEY) == "Key(…)"


def test_numbers_at_the_end_of_the_range_still_come_back() -> None:
    model = network("mlp")
    with torch.no_grad():
        model.module[1].weight[3, 5] = 1e-45  # the smallest there is: an eighth of it would be zero
        model.module[1].weight[4, 5] = 3e38 / 4
    for settings in (Obfuscation(), KEPT):
        hidden = obfuscate(model, KEY, settings).classifier
        assert same_state(model, reverse(hidden, KEY))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dummies": -1}, "dummies must lie in"),
        ({"dummies": 1.5}, "dummies must be a whole number"),
        ({"dummies": True}, "dummies must be a whole number"),
        ({"dummies": 1, "keep_architecture": True}, "cannot be kept"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Obfuscation(**settings)  # type: ignore[arg-type]


def test_what_cannot_be_obfuscated_is_said() -> None:
    with pytest.raises(ConfigError, match="train mode"):
        obfuscate(network("mlp").train(), KEY)
    with pytest.raises(UnsupportedModel, match="float16"):
        obfuscate(network("mlp").half(), KEY)
    with pytest.raises(DataError, match="tells of no obfuscation"):
        reverse(network("mlp"), KEY)
