"""What obfuscation does not do: attacks that undo it, kept as tests so that nobody claims more."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from hauberk.datasets import Dataset
from hauberk.models import Classifier
from hauberk.protection.obfuscate import Key, Obfuscation, obfuscate

KEY = Key(bytes(range(32)))


@torch.no_grad()
def activations(model: Classifier, layer: str, x: Tensor) -> Tensor:
    """What a layer of the network puts out, one row for each of its channels."""
    seen: list[Tensor] = []
    hook = dict(model.module.named_modules())[layer].register_forward_hook(lambda _m, _i, out: seen.append(out))
    model(x)
    hook.remove()
    return seen[0].transpose(0, 1).flatten(1)


def matched(a: Tensor, b: Tensor) -> Tensor:
    """For each channel of ``b`` the one of ``a`` that behaves most alike, each used once."""
    count = len(a)
    likeness = torch.corrcoef(torch.cat([a, b]))[count:, :count].nan_to_num(0.0)
    return torch.from_numpy(linear_sum_assignment(-likeness.numpy())[1])


def test_matching_activations_with_the_original_recovers_the_permutation(
    plain: Classifier, digits: Dataset
) -> None:
    """Who has both files needs no key: 200 images, correlations, one assignment problem for each layer."""
    hidden = obfuscate(plain, KEY, Obfuscation(keep_architecture=True)).classifier
    old, new = plain.weights(), hidden.weights()
    layers = [name for name, one in plain.module.named_modules() if isinstance(one, nn.Conv2d | nn.Linear)][:-1]
    x = digits.images[:200]
    for layer in layers:
        found = matched(activations(plain, layer, x), activations(hidden, layer, x))
        assert not torch.equal(found, torch.arange(len(found)))
        bias, theirs = old[f"{layer}.bias"][found], new[f"{layer}.bias"]
        ratio = torch.log2((theirs / bias).double())
        alive = activations(plain, layer, x).std(dim=1)[found] > 0
        # the permutation is right where what is left between the two is a power of two within the bounds
        assert torch.equal(ratio[alive], ratio[alive].round())
        assert float(ratio[alive].abs().max()) <= 3


def test_twins_are_found_by_their_parallel_weights(plain: Classifier) -> None:
    pairs = 4
    hidden = obfuscate(plain, KEY, Obfuscation(dummies=pairs)).classifier
    weight = max((one for one in hidden.weights().values() if one.ndim == 2), key=lambda one: one.numel())
    rows = nn.functional.normalize(weight.double(), dim=1)
    alike = (rows @ rows.T - torch.eye(len(rows), dtype=torch.float64) > 1 - 1e-9).sum()
    assert alike == 2 * pairs


def test_gradients_and_so_attacks_are_the_same(plain: Classifier, digits: Dataset) -> None:
    hidden = obfuscate(plain, KEY).classifier
    gradients = []
    for model in (plain, hidden):
        x = digits.images[:16].clone().requires_grad_()
        nn.functional.cross_entropy(model(x), digits.labels[:16]).backward()
        gradients.append(x.grad)
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)
