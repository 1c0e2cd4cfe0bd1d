"""The balls: projections against an exact certificate, steps against every other step, starts against theory.

Everything is measured again here, in float64 and from the definition of each norm.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from hauberk.core.errors import ConfigError, UnknownName
from hauberk.threats import GEOMETRIES, L0, L1, L2, Bounds, Geometry, Linf, Streams, geometry

NORMS = ("linf", "l2", "l1", "l0")
SHAPE = (2, 3, 3)  # channels, height, width
RELATIVE, ABSOLUTE = 1e-5, 1e-6  # what float32 may round

Limits = tuple[float | tuple[float, ...], float | tuple[float, ...]]
ranges: list[Limits] = [(0.0, 1.0), (-2.1, 2.6), (0.0, 255.0), ((-0.4242, -1.0), (2.8215, 3.3))]


def length(norm: str, change: Tensor) -> np.ndarray[Any, Any]:
    rows = change.to(torch.float64).numpy()
    flat = rows.reshape(len(rows), -1)
    if norm == "linf":
        return np.abs(flat).max(axis=1)
    if norm == "l2":
        return np.sqrt((flat**2).sum(axis=1))
    if norm == "l1":
        return np.abs(flat).sum(axis=1)
    positions = rows.reshape(len(rows), rows.shape[1], -1) if rows.ndim == 4 else flat[:, None]
    return (positions != 0).any(axis=1).sum(axis=1)


def measured(ball: Geometry, origin: Tensor, x: Tensor) -> np.ndarray[Any, Any]:
    return length(ball.norm, x.double() - origin.double())


class Case:
    """Origins in the box, and points anywhere."""

    def __init__(self, norm: str, limits: Limits, share: float, seed: int, rows: int = 6) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.bounds = Bounds.of(limits)
        like = torch.zeros(rows, *SHAPE)
        self.lower, self.upper = self.bounds.tensors(like)
        width = self.upper - self.lower
        origin = self.lower + torch.rand(like.shape, generator=draw) * width
        # some values stand on the edge of the box, as black and white pixels do
        edge = torch.rand(like.shape, generator=draw)
        origin = torch.where(edge < 0.2, self.lower, torch.where(edge > 0.8, self.upper, origin))
        self.origin = torch.minimum(torch.maximum(origin, self.lower), self.upper)
        self.x = self.origin + torch.randn(like.shape, generator=draw) * width * 0.7
        largest = GEOMETRIES[norm](1).largest(self.bounds, SHAPE)
        self.ball = geometry(norm, max(1, round(share * largest)) if norm == "l0" else share * largest)

    def project(self, x: Tensor) -> Tensor:
        return self.ball.project(self.origin, x, self.lower, self.upper)

    @property
    def tolerance(self) -> float:
        return RELATIVE * self.ball.eps + ABSOLUTE * float((self.upper - self.lower).max()) * 18

    def inside_box(self, x: Tensor) -> bool:
        return bool(((x >= self.lower) & (x <= self.upper)).all())


cases = st.builds(
    Case,
    st.sampled_from(NORMS),
    st.sampled_from(ranges),
    st.sampled_from([0.003, 0.02, 0.1, 0.4, 1.0]),
    st.integers(0, 2**32 - 1),
)
law = settings(deadline=None, max_examples=80)


class TestProjection:
    @law
    @given(cases)
    def test_lands_inside_ball_and_box(self, case: Case) -> None:
        before = case.x.clone()
        found = case.project(case.x)
        slack = 0 if case.ball.norm == "l0" else case.tolerance
        assert (measured(case.ball, case.origin, found) <= case.ball.eps + slack).all()
        assert case.inside_box(found)
        assert found.dtype == case.x.dtype
        assert torch.equal(case.x, before)

    @law
    @given(cases)
    def test_is_idempotent(self, case: Case) -> None:
        once = case.project(case.x)
        torch.testing.assert_close(case.project(once), once, rtol=0, atol=case.tolerance)

    @law
    @given(cases)
    def test_leaves_feasible_points_alone(self, case: Case) -> None:
        feasible = case.origin + (case.project(case.x) - case.origin) * 0.9
        feasible = torch.minimum(torch.maximum(feasible, case.lower), case.upper)
        torch.testing.assert_close(case.project(feasible), feasible, rtol=1e-6, atol=case.tolerance)
        assert torch.equal(case.project(case.origin), case.origin)

    @law
    @given(cases)
    def test_of_one_image_never_depends_on_its_neighbours(self, case: Case) -> None:
        together = case.project(case.x)
        order = torch.tensor([3, 1, 5])
        apart = case.ball.project(case.origin[order], case.x[order], case.lower, case.upper)
        torch.testing.assert_close(apart, together[order], rtol=0, atol=case.tolerance)

    @law
    @given(cases.filter(lambda case: case.ball.norm in ("linf", "l1")))
    def test_is_exact_for_linf_and_l1(self, case: Case) -> None:
        """p is the projection of x on a convex set iff no feasible z has <x - p, z - p> > 0.

        The largest <x - p, z> over ball and box is a fractional knapsack, solved here by greed.
        """
        found = case.project(case.x)
        origin = case.origin.double().numpy().reshape(6, -1)
        p = found.double().numpy().reshape(6, -1) - origin
        pull = case.x.double().numpy().reshape(6, -1) - origin - p
        up = case.upper.double().expand_as(case.x).numpy().reshape(6, -1) - origin
        down = origin - case.lower.double().expand_as(case.x).numpy().reshape(6, -1)
        room = np.where(pull > 0, up, down)
        for row in range(6):
            gains, budget = 0.0, case.ball.eps
            for index in np.argsort(-np.abs(pull[row])):
                used = min(room[row, index], case.ball.eps if case.ball.norm == "linf" else budget)
                budget -= used
                gains += abs(pull[row, index]) * used
            slack = case.tolerance * np.abs(pull[row]).sum() + 1e-12
            assert gains - (pull[row] * p[row]).sum() <= slack

    @pytest.mark.parametrize("seed", range(4))
    def test_of_l1_agrees_with_a_general_solver(self, seed: int) -> None:
        from scipy.optimize import minimize

        draw = np.random.default_rng(seed)
        origin, delta, eps = draw.random(4), draw.normal(size=4), 0.6
        # delta = up - down with both non-negative makes the problem smooth
        solved = minimize(
            lambda v: ((v[:4] - v[4:] - delta) ** 2).sum(),
            np.full(8, 0.01),
            method="SLSQP",
            bounds=[(0, 1 - one) for one in origin] + [(0, one) for one in origin],
            constraints=[{"type": "ineq", "fun": lambda v: eps - v.sum()}],
            options={"ftol": 1e-14, "maxiter": 500},
        )
        expected = origin + solved.x[:4] - solved.x[4:]
        one = torch.from_numpy(origin)[None]
        found = L1(eps).project(one, one + torch.from_numpy(delta), *Bounds(0.0, 1.0).tensors(one))
        np.testing.assert_allclose(found[0].numpy(), expected, atol=2e-5)

    def test_of_l2_alone_is_the_radial_one(self) -> None:
        origin = torch.full((1, 2), 0.5)
        found = L2(0.5).project(
            origin, origin + torch.tensor([[3.0, 4.0]]), torch.tensor(-9.0), torch.tensor(9.0)
        )
        torch.testing.assert_close(found, origin + torch.tensor([[0.3, 0.4]]))

    def test_of_l0_keeps_the_strongest_pixels_with_all_their_channels(self) -> None:
        origin = torch.full((1, 3, 2, 2), 0.5)
        change = torch.zeros(1, 3, 2, 2)
        change[0, :, 0, 0] = torch.tensor([0.1, 0.1, 0.1])
        change[0, 0, 0, 1] = 0.2
        change[0, :, 1, 1] = torch.tensor([-0.2, 0.0, 0.2])
        found = L0(2).project(origin, origin + change, torch.tensor(0.0), torch.tensor(1.0)) - origin
        expected = change.clone()
        expected[0, 0, 0, 1] = 0
        torch.testing.assert_close(found, expected)
        assert length("l0", found).tolist() == [2]

    @pytest.mark.parametrize("norm", NORMS)
    def test_of_nan_stays_visible(self, norm: str) -> None:
        case = Case(norm, (0.0, 1.0), 1.0, 0)
        case.x[0] = float("nan")
        assert bool(case.project(case.x)[0].isnan().any())


class TestDistance:
    @law
    @given(cases)
    def test_is_the_norm_by_definition(self, case: Case) -> None:
        change = (case.x - case.origin) * (torch.rand(case.x.shape) < 0.5)
        np.testing.assert_allclose(
            case.ball.distance(change).numpy(), length(case.ball.norm, change), rtol=1e-5
        )

    def test_of_l0_counts_pixels_in_images_and_values_elsewhere(self) -> None:
        change = torch.zeros(1, 3, 2, 2)
        change[0, :, 0, 0] = 1
        change[0, 1, 1, 1] = -1
        assert L0(1).distance(change).tolist() == [2]
        assert L0(1).distance(change.reshape(1, 12)).tolist() == [4]

    @pytest.mark.parametrize("norm", NORMS)
    @pytest.mark.parametrize("limits", ranges)
    def test_largest_is_the_way_from_corner_to_corner(self, norm: str, limits: Limits) -> None:
        bounds = Bounds.of(limits)
        lower, upper = bounds.tensors(torch.zeros(1, *SHAPE))
        corner = (upper - lower).expand(1, *SHAPE)
        found = GEOMETRIES[norm](1).largest(bounds, SHAPE)
        assert found == pytest.approx(float(length(norm, corner)[0]), rel=1e-6)


class TestSteepest:
    @settings(deadline=None, max_examples=40)
    @given(st.sampled_from(["linf", "l2"]), st.integers(0, 2**32 - 1))
    def test_is_of_length_one_and_beats_every_other_direction(self, norm: str, seed: int) -> None:
        draw = torch.Generator().manual_seed(seed)
        gradient = torch.randn(3, *SHAPE, generator=draw)
        step = geometry(norm, 0.5).steepest(gradient)
        np.testing.assert_allclose(length(norm, step), 1, rtol=1e-5)
        gain = (gradient * step).flatten(1).sum(1)
        for _ in range(50):
            other = torch.randn(3, *SHAPE, generator=draw)
            other /= torch.from_numpy(length(norm, other)).float().view(3, 1, 1, 1)
            assert bool((gain >= (gradient * other).flatten(1).sum(1) - 1e-5).all())

    def test_reaches_the_dual_norm(self) -> None:
        gradient = torch.randn(5, *SHAPE, generator=torch.Generator().manual_seed(0))
        for norm, dual in (("linf", "l1"), ("l2", "l2"), ("l1", "linf")):
            step = geometry(norm, 0.5).steepest(gradient)  # 18 values: the L1 step moves one, the best
            np.testing.assert_allclose(
                (gradient * step).flatten(1).sum(1), length(dual, gradient), rtol=1e-5, err_msg=norm
            )

    def test_of_l1_spreads_over_the_strongest_twentieth(self) -> None:
        gradient = torch.randn(4, 200, generator=torch.Generator().manual_seed(0))
        step = L1(1.0).steepest(gradient)
        np.testing.assert_allclose(length("l1", step), 1, rtol=1e-6)
        assert ((step != 0).sum(1) == 10).all()
        weakest = torch.where(step != 0, gradient.abs(), math.inf).amin(1)
        assert (weakest >= torch.where(step == 0, gradient.abs(), 0.0).amax(1)).all()

    @pytest.mark.parametrize("eps", [1, 4, 9, 50])
    def test_of_l0_moves_the_strongest_pixels(self, eps: int) -> None:
        gradient = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))
        step = L0(eps).steepest(gradient)
        assert length("l0", step).tolist() == [min(eps, 9)] * 4
        assert bool(((step == 0) | (step == gradient.sign())).all())

    @pytest.mark.parametrize("norm", NORMS)
    @pytest.mark.parametrize("scale", [1e-30, 1e-20, 1e-10, 1e10, 1e30])
    def test_does_not_depend_on_the_scale_of_the_gradient(self, norm: str, scale: float) -> None:
        """A saturated network has gradients of 1e-30; a step of length 0 would make it look robust."""
        gradient = torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))
        ball = geometry(norm, 1)
        torch.testing.assert_close(ball.steepest(gradient * scale), ball.steepest(gradient))

    @pytest.mark.parametrize("norm", NORMS)
    def test_of_no_gradient_is_no_step(self, norm: str) -> None:
        assert bool((geometry(norm, 1).steepest(torch.zeros(2, *SHAPE)) == 0).all())


class TestUniform:
    """Seeds are fixed. Over other seeds each of these tests would fail with probability below 1e-6."""

    rows = 4000
    alarm = 1e-7  # for each of at most ten comparisons in a test

    def draws(self, ball: Geometry, shape: tuple[int, ...]) -> Tensor:
        streams = Streams.for_samples(5, torch.arange(self.rows), "uniform")
        return ball.uniform(torch.full((self.rows, *shape), 0.5), streams)

    def check(self, sample: np.ndarray[Any, Any], law: Callable[..., Any]) -> None:
        assert stats.kstest(sample, law).pvalue > self.alarm

    @pytest.mark.parametrize("norm", NORMS)
    def test_stays_inside_the_ball(self, norm: str) -> None:
        ball = geometry(norm, 3)
        assert (length(norm, self.draws(ball, SHAPE)) <= 3 * (1 + RELATIVE)).all()

    @pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
    def test_fills_the_ball_evenly_from_centre_to_surface(self, norm: str) -> None:
        # the volume within radius r grows as r ** d
        size = 6
        radii = length(norm, self.draws(geometry(norm, 0.7), (size,))) / 0.7
        self.check(np.minimum(radii, 1) ** size, stats.uniform.cdf)

    def test_every_value_is_even_for_linf(self) -> None:
        found = self.draws(Linf(0.7), (6,)).double().numpy()
        for column in range(6):
            self.check(found[:, column] / 1.4 + 0.5, stats.uniform.cdf)

    def test_every_direction_is_as_likely_for_l2(self) -> None:
        found = self.draws(L2(0.7), (6,)).double().numpy()
        found /= np.sqrt((found**2).sum(axis=1, keepdims=True))
        for column in range(6):
            self.check((1 + found[:, column]) / 2, stats.beta(2.5, 2.5).cdf)

    def test_shares_and_signs_are_even_for_l1(self) -> None:
        found = self.draws(L1(0.7), (6,)).double().numpy()
        shares = np.abs(found) / np.abs(found).sum(axis=1, keepdims=True)
        for column in range(6):
            self.check(shares[:, column], stats.beta(1, 5).cdf)
        positive = int((found > 0).sum())
        assert stats.binomtest(positive, found.size).pvalue > self.alarm

    def test_every_pixel_is_as_likely_for_l0(self) -> None:
        found = self.draws(L0(2), SHAPE)
        assert (length("l0", found) == 2).all()
        chosen = (found != 0).any(dim=1).flatten(1).sum(dim=0).numpy()
        assert stats.chisquare(chosen).pvalue > self.alarm  # conservative: two without replacement vary less

    @pytest.mark.parametrize("norm", NORMS)
    def test_of_one_image_never_depends_on_its_neighbours(self, norm: str) -> None:
        ball = geometry(norm, 3)
        origin = torch.full((5, *SHAPE), 0.5)
        together = ball.uniform(origin, Streams.for_samples(1, torch.arange(5)))
        apart = ball.uniform(origin[:2], Streams.for_samples(1, torch.tensor([4, 2])))
        torch.testing.assert_close(apart, together[[4, 2]])


class TestRadius:
    @pytest.mark.parametrize("norm", NORMS)
    @pytest.mark.parametrize(
        "eps", [0, -1, 0.0, -0.3, float("nan"), float("inf"), -float("inf"), True, False, "1", None, [1.0], 1j]
    )
    def test_what_is_no_radius_is_refused(self, norm: str, eps: Any) -> None:
        with pytest.raises(ConfigError, match="eps must be"):
            geometry(norm, eps)

    @pytest.mark.parametrize("eps", [0.5, 1.5, 2.000001])
    def test_l0_counts_whole_positions(self, eps: float) -> None:
        with pytest.raises(ConfigError, match="whole number"):
            L0(eps)
        assert L0(2.0).eps == 2

    def test_a_new_radius_is_checked_too(self) -> None:
        assert Linf(0.1).with_eps(0.2) == Linf(0.2)
        with pytest.raises(ConfigError):
            Linf(0.1).with_eps(-1)

    def test_a_radius_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            Linf(0.1).eps = 0.2

    def test_a_misspelt_norm_names_the_nearest(self) -> None:
        with pytest.raises(UnknownName, match="did you mean 'linf'"):
            geometry("lin", 0.1)

    @pytest.mark.parametrize("norm", NORMS)
    def test_repr_and_description_name_it_completely(self, norm: str) -> None:
        ball = geometry(norm, 2)
        assert eval(repr(ball), {"Linf": Linf, "L2": L2, "L1": L1, "L0": L0}) == ball
        assert ball.describe() == {"norm": norm, "eps": 2.0}

    @pytest.mark.parametrize("norm", NORMS)
    def test_default_travel_is_within_the_valid_range(self, norm: str) -> None:
        scale = geometry(norm, 1).step_scale(Bounds(0.0, 1.0), SHAPE)
        assert 0 < scale <= geometry(norm, 1).largest(Bounds(0.0, 1.0), SHAPE)
