"""The key stream's laws. Statistical tests here fail by chance less than once in a million runs each."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from hauberk.privacy.training import NoiseSource

RARE = 1e-6


def test_words_are_aes_256_of_a_counter() -> None:
    """The counter's blocks encrypted one by one give the numbers that the stream gives."""
    block = Cipher(algorithms.AES256(hashlib.sha256(b"key").digest()), modes.ECB()).encryptor()
    stream = b"".join(block.update(counter.to_bytes(16, "big")) for counter in range(50))
    expected = (np.frombuffer(stream, "<u8") >> 11) * 2.0**-53
    source = NoiseSource(test_key=b"key")
    found = torch.cat([source.uniform(37), source.uniform(63)])  # wherever the calls end
    assert np.array_equal(found.numpy(), expected)


def test_normals_are_normal_and_independent() -> None:
    found = NoiseSource().normal(400_001).numpy()
    assert len(found) == 400_001
    assert stats.kstest(found, "norm").pvalue > RARE
    assert (
        stats.kstest(found[1:] * found[:-1], np.random.default_rng(0).normal(size=(2, 10**6)).prod(0)).pvalue
        > RARE
    )
    halves = found[:200_000] * found[200_001:]  # of one radius each
    assert abs(halves.mean()) < 5 * halves.std() / math.sqrt(len(halves))
    assert stats.kurtosistest(found).pvalue > RARE


def test_several_parts_are_one_stream() -> None:
    found = NoiseSource().normal((1 << 20) + 3)
    assert len(found) == (1 << 20) + 3
    assert len(found.unique()) > (1 << 20) - 10


def test_who_is_drawn_is_a_coin_for_each_alone() -> None:
    source, count, rate, rounds = NoiseSource(), 500, 0.1, 2000
    drawn = torch.zeros(rounds, count)
    for one in range(rounds):
        drawn[one, source.chosen(count, rate)] = 1
    sizes = drawn.sum(1).numpy()
    # a batch of one size every time, or drawn without replacement from a shuffled list, would not vary so
    assert abs(sizes.var() - count * rate * (1 - rate)) < 5 * 45 * math.sqrt(2 / rounds)
    assert abs(sizes.mean() - count * rate) < 5 * math.sqrt(45 / rounds)
    each = drawn.sum(0).numpy()
    observed = ((each - rounds * rate) ** 2).sum() / (rounds * rate * (1 - rate))
    assert RARE < stats.chi2.cdf(observed, count) < 1 - RARE
    together = float((drawn[:, 0] * drawn[:, 1]).mean())
    assert abs(together - rate**2) < 5 * math.sqrt(rate**2 / rounds)


def test_everybody_and_nobody() -> None:
    source = NoiseSource()
    assert source.chosen(100, 1.0).tolist() == list(range(100))
    assert len(source.chosen(100, 1e-12)) == 0
    assert source.normal(0).shape == (0,)


def test_no_seed_repeats_the_noise() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    first = NoiseSource().normal(10)
    torch.manual_seed(0)
    np.random.seed(0)
    assert not torch.equal(first, NoiseSource().normal(10))
    state = torch.get_rng_state()
    NoiseSource().normal(10)
    assert torch.equal(state, torch.get_rng_state())


def test_a_test_key_is_owned_up_to() -> None:
    assert NoiseSource(test_key=b"x").for_tests
    assert not NoiseSource().for_tests
    assert torch.equal(NoiseSource(test_key=b"x").normal(5), NoiseSource(test_key=b"x").normal(5))
