"""Linear Koopman fits find exact spectra, forecast in two named ways, and never pair across a seam."""

import math

import numpy as np
import pytest
import torch

from lib.core.types import Trajectories
from lib.koopman import LINEAR, dmd, dmdc, edmd, edmdc, hankel_dmd, kernel_edmd
from lib.koopman import dictionaries as d
from lib.koopman.linear import eigen, rollout
from lib.koopman.metrics import hausdorff, nrmse
from lib.koopman.pairs import box_of, delays, from_times, pairs, windows
from lib.koopman.residual import residuals_of_moments, residuals_on, trusted
from tests.samples import normal

MU, LAMBDA, DT = -0.05, -1.0, 0.02


def slow_manifold(size, steps, *, seed):
    """The exact flow of x1' = mu x1, x2' = lambda (x2 - x1^2), from the square of half-width 1/2."""
    start = torch.rand(size, 2, 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5
    t, c = torch.arange(steps, dtype=torch.float64) * DT, LAMBDA / (2 * MU - LAMBDA)
    x1, x2 = start[:, 0], start[:, 1]
    fast = (x2 + c * x1**2) * torch.exp(LAMBDA * t) - c * x1**2 * torch.exp(2 * MU * t)
    return Trajectories(torch.stack([x1 * torch.exp(MU * t), fast], -1), DT, {})


def quadratic(x):
    return torch.stack([x[..., 0], x[..., 1], x[..., 0] ** 2], -1)


SPECTRUM = np.exp(DT * np.array([MU, 2 * MU, LAMBDA]))


def rotated(*, seed=0):
    """A map of four dimensions with eigenvalues .99 e^(+-.3 i), .9 and .5, in a random basis."""
    turn = 0.99 * torch.tensor([[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    basis = normal(4, 4, seed=seed)
    return torch.linalg.solve(basis, torch.block_diag(turn, torch.diag(torch.tensor([0.9, 0.5], dtype=torch.float64))) @ basis)


LINEAR_SPECTRUM = torch.tensor([0.99 * np.exp(0.3j), 0.99 * np.exp(-0.3j), 0.9, 0.5], dtype=torch.complex128)


def orbit(operator, size, steps, *, noise=0.0, seed=0):
    x = [normal(size, len(operator), seed=seed)]
    for _ in range(steps - 1):
        x.append(x[-1] @ operator)
    x = torch.stack(x, 1)
    return Trajectories(x + noise * normal(*x.shape, seed=seed + 1), 1.0, {})


def lorenz(steps, *, size=1, dt=0.01):
    """Standardised Lorenz trajectories by Runge-Kutta steps of order 4, ten time units after nearby starts."""

    def rate(s):
        x, y, z = s.unbind(-1)
        return torch.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z], -1)

    s, found = torch.ones(size, 3, dtype=torch.float64) + normal(size, 3, seed=0), []
    for _ in range(steps + 1000):
        found.append(s)
        k1 = rate(s)
        k2 = rate(s + dt / 2 * k1)
        k3 = rate(s + dt / 2 * k2)
        s = s + dt / 6 * (k1 + 2 * k2 + 2 * k3 + rate(s + dt * k3))
    x = torch.stack(found, 1)[:, 1000:]
    return (x - x.mean((0, 1))) / x.std((0, 1))


def noisy_logistic(size, steps, *, degree, seed):
    """x' = 4 x (1 - x) + noise mod 1, the density of the noise being proportional to cos^(2 degree)(pi noise)."""
    grid = np.linspace(-0.5, 0.5, 20001)
    mass = np.cumsum(np.cos(np.pi * grid) ** (2 * degree))
    g = np.random.default_rng(seed)
    x, found = g.random(size), []
    for _ in range(steps):
        found.append(x)
        x = (4 * x * (1 - x) + np.interp(g.random(size) * mass[-1], mass, grid)) % 1
    return Trajectories(torch.tensor(np.stack(found, 1)[..., None]), 1.0, {})


# Exact spectra.


@pytest.mark.parametrize("method", ["exact", "tls", "fb"])
def test_dmd_finds_the_spectrum_of_a_linear_map(method):
    model = dmd(orbit(rotated(), 5, 30), method=method)
    assert max(hausdorff(model.eigenvalues, LINEAR_SPECTRUM)) < 1e-10
    assert model.residuals.max() < 1e-10


def test_edmd_finds_the_spectrum_of_the_slow_manifold():
    model = edmd(slow_manifold(20, 51, seed=0), lift=quadratic)
    rates = model.eigenvalues.log() / DT
    assert max(hausdorff(rates, torch.tensor([MU, 2 * MU, LAMBDA], dtype=torch.complex128))) < 1e-10


def test_modes_and_eigenfunctions_give_back_later_snapshots():
    data = slow_manifold(20, 51, seed=0)
    model = edmd(data, lift=quadratic)
    phi = model.lift(data.x[:, 0]).to(torch.complex128) @ model.vectors
    later = ((phi * model.eigenvalues**30) @ model.modes).real
    assert torch.allclose(later, data.x[:, 30], atol=1e-10)


def test_hankel_dmd_finds_two_frequencies_in_one_number():
    t = torch.arange(200, dtype=torch.float64)
    data = Trajectories((torch.cos(0.3 * t) + 0.5 * torch.sin(0.7 * t))[None, :, None], 1.0, {})
    model = hankel_dmd(data, delays=8, rank=4)
    truth = torch.tensor(np.exp([0.3j, -0.3j, 0.7j, -0.7j]))
    assert max(hausdorff(model.eigenvalues, truth)) < 1e-10
    for mode in ("linear", "relift"):
        found = rollout(model, data.x[:, :8], 100, mode=mode).x
        assert found.shape == (1, 101, 1) and torch.allclose(found, data.x[:, 7:108], atol=1e-8)


def test_the_invariant_dictionary_finds_the_spectrum_of_the_noisy_logistic_map():
    data = noisy_logistic(2000, 101, degree=10, seed=0)
    model = edmd(data, lift=d.trigonometric(10, inner=lambda x: 4 * x * (1 - x)), ridge=1e-9)
    truth = torch.tensor([1, -0.193338 + 0.190943j, -0.193338 - 0.190943j], dtype=torch.complex128)
    assert hausdorff(model.eigenvalues, truth)[0] < 0.03  # 2e5 pairs: 0.02 is the sampling error
    clipped = data._replace(x=(data.x * 1.2 - 0.1).clamp(0, 1))  # another map has another spectrum
    other = edmd(clipped, lift=d.trigonometric(10, inner=lambda x: 4 * x * (1 - x)), ridge=1e-9)
    assert hausdorff(other.eigenvalues, truth)[0] > 0.03


def test_controls_do_not_leak_into_the_operator():
    k, b = rotated(), normal(2, 4, seed=7)
    acted, x = normal(3, 40, 2, seed=8), [normal(3, 4, seed=9)]
    for t in range(40):
        x.append(x[-1] @ k + acted[:, t] @ b)
    data = Trajectories(torch.stack(x, 1), 1.0, {}, acted)
    model = dmdc(data)
    assert max(hausdorff(model.eigenvalues, LINEAR_SPECTRUM)) < 1e-10 and torch.allclose(model.push[0], b, atol=1e-10)
    for found in (model, trusted(edmdc(data, lift=d.identity), at_most=1e-6)):
        assert torch.allclose(rollout(found, data.x[:, 0], 40, mode="linear", controls=acted).x, data.x, atol=1e-8)
    with pytest.raises(ValueError, match="data carries controls; use dmdc"):
        dmd(data)
    with pytest.raises(ValueError, match="this model needs controls"):
        rollout(model, data.x[:, 0], 40, mode="linear")


# Noise.


def test_total_least_squares_and_forward_backward_remove_the_first_order_of_the_noise_bias():
    turn = torch.tensor([[math.cos(0.3), math.sin(0.3)], [-math.sin(0.3), math.cos(0.3)]], dtype=torch.float64)
    noisy = orbit(turn, 2000, 50, noise=0.3)
    size = {method: dmd(noisy, method=method).eigenvalues.abs().mean().item() for method in ("exact", "tls", "fb")}
    assert size["exact"] == pytest.approx(1 / (1 + 0.3**2), abs=0.003)  # X^T X grows from 1 to 1 + s^2
    assert size["tls"] == pytest.approx(1, abs=0.003) and size["fb"] == pytest.approx(1, abs=0.003)


def test_forward_backward_takes_the_root_on_the_side_of_the_forward_map():
    for angle in (2.0, 3.0):
        turn = torch.tensor([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=torch.float64)
        assert dmd(orbit(turn, 3, 20), method="fb").eigenvalues.angle().abs().max().item() == pytest.approx(angle)


# Two ways to roll out.


@pytest.fixture(scope="module")
def attractor():
    return lorenz(1050, size=40)


# NRMSE at 5 and 20 steps, lifted once and lifted anew, at dt = .01, as measured apart from this code on one long trajectory.
LORENZ = {
    1: ((0.283, 1.08), (0.283, 1.08)),
    2: ((0.049, 0.80), (7.6e-3, 0.032)),
    3: ((5.1e-3, 0.52), (8.4e-5, 2.6e-4)),
}


@pytest.mark.parametrize("degree", LORENZ)
def test_polynomial_forecasts_of_lorenz(degree, attractor):
    for mode, wanted in zip(("linear", "relift"), LORENZ[degree], strict=True):
        assert lorenz_errors(attractor, degree, mode) == pytest.approx(wanted, rel=0.2)


def lorenz_errors(attractor, degree, mode):
    model = edmd(Trajectories(attractor[:5, :1000], 0.01, {}), lift=d.monomials(3, degree=degree))
    truth = windows(Trajectories(attractor[5:], 0.01, {}), length=21)[::25]
    return nrmse(rollout(model, truth[:, 0], 20, mode=mode).x, truth, norm="std", horizons=[5, 20]).tolist()


def test_polynomials_of_degree_five_forecast_lorenz_to_nine_digits_if_lifted_anew(attractor):
    # Normal equations reached 1e-7 and 2.9e-7 lifted anew, and 4.0e-5 and .22 lifted once on another trajectory.
    near, far = lorenz_errors(attractor, 5, "linear")
    assert near == pytest.approx(5.2e-5, rel=0.1) and far == pytest.approx(0.22, rel=0.2)
    assert max(lorenz_errors(attractor, 5, "relift")) < 3e-8


def test_the_two_ways_agree_where_the_span_is_invariant_and_differ_where_it_is_not(attractor):
    data = slow_manifold(20, 51, seed=0)
    model = edmd(data, lift=quadratic)
    ways = [rollout(model, data.x[:, 0], 50, mode=mode) for mode in ("linear", "relift")]
    assert torch.allclose(ways[0].x, data.x, atol=1e-10) and torch.allclose(ways[1].x, data.x, atol=1e-10)
    model = edmd(Trajectories(attractor[:5], 0.01, {}), lift=d.monomials(3, degree=2))
    ways = [rollout(model, attractor[6:, 0], 20, mode=mode).x for mode in ("linear", "relift")]
    assert torch.allclose(ways[0][:, 1], ways[1][:, 1]) and (ways[0][:, 20] - ways[1][:, 20]).abs().max() > 0.1


def test_an_unstable_model_names_the_step_at_which_it_leaves():
    doubling = Trajectories(0.1 * 2.0 ** torch.arange(6, dtype=torch.float64)[None, :, None], 1.0, {})  # 0.1 to 3.2
    model = dmd(doubling)
    found = rollout(model, torch.tensor([[0.1], [-1e-30]], dtype=torch.float64), 1100, mode="linear", margin=1.0)
    assert found.left_at.tolist() == [6, 102] and found.mode == "linear"  # 6.4 > 3.2 + 3.1; -5 < 0.1 - 3.1
    near = rollout(model, torch.tensor([[0.1]], dtype=torch.float64), 9, mode="linear", margin=0.01)
    assert near.left_at.tolist() == [6] and rollout(model, near.x[:, 0], 9, mode="relift", margin=2.0).left_at.tolist() == [7]
    assert found.x.isfinite().all() and found.x[0, 10] == pytest.approx(0.1 * 2**10)


def test_fields_keep_their_shape():
    k = rotated()
    data = orbit(k, 5, 30)
    field = data._replace(x=data.x.unflatten(2, (2, 2)))
    found = rollout(dmd(field), field.x[:, 0], 29, mode="linear").x
    assert found.shape == field.x.shape and torch.allclose(found, field.x, atol=1e-10)


# Seams.


@pytest.mark.parametrize("name", ["dmd", "edmd", "kernel_edmd", "hankel_dmd"])
def test_a_split_fit_is_the_joined_fit_without_the_seams(name):
    options = {"edmd": {"lift": quadratic}, "kernel_edmd": {"rank": 3, "width": 0.5}, "hankel_dmd": {"delays": 2, "rank": 3}}
    whole, fit = slow_manifold(6, 20, seed=1), LINEAR[name]
    split = [whole._replace(x=whole.x[:2]), whole._replace(x=whole.x[2:])]
    seamed = whole._replace(x=whole.x.reshape(1, -1, 2))
    models = [fit(data, **options.get(name, {})) for data in (whole, split, seamed)]
    values = [model.eigenvalues[:2].abs() for model in models]
    assert torch.allclose(values[0], values[1], atol=1e-9) and not torch.allclose(values[0], values[2], atol=1e-4)


def test_pairs_delays_and_windows_stay_within_a_trajectory():
    x = torch.arange(8, dtype=torch.float64).reshape(2, 4, 1)
    data = Trajectories(x, 1.0, {}, controls=torch.arange(6, dtype=torch.float64).reshape(2, 3, 1))
    assert [z[:, 0].tolist() for z in pairs(data, lag=2)] == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert delays(data, count=3).x.tolist() == [[[0, 1, 2], [1, 2, 3]], [[4, 5, 6], [5, 6, 7]]]
    assert delays(data, count=3).controls.tolist() == [[[2]], [[5]]]
    assert windows([data, data], length=3)[:, :, 0].tolist() == [[0, 1, 2], [1, 2, 3], [4, 5, 6], [5, 6, 7]] * 2


@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_a_ridge_is_added_to_the_mean_of_products(ridge):
    data = orbit(rotated(), 20, 5, noise=0.3)
    x, y = pairs(data)
    wanted = torch.linalg.solve(x.T @ x / len(x) + ridge * torch.eye(4), x.T @ y / len(x))
    assert torch.allclose(edmd(data, lift=d.identity, ridge=ridge).operator, wanted, atol=1e-12)


@pytest.mark.parametrize("size", [1, 3, 70])
def test_the_box_is_the_range_of_the_data(size):
    x = normal(size, 5, 3, seed=0)
    assert torch.equal(box_of(Trajectories(x, 1.0, {})), torch.stack([x.amin((0, 1)), x.amax((0, 1))]))


def test_blocks_change_nothing(monkeypatch):
    data = slow_manifold(20, 51, seed=0)
    whole = edmd(data, lift=d.monomials(2, degree=3))
    monkeypatch.setattr("lib.koopman.pairs.BLOCK", 20 * 10 * 7)
    assert torch.allclose(edmd(data, lift=d.monomials(2, degree=3)).operator, whole.operator, atol=1e-7)


# Residuals.


def test_residuals_tell_true_pairs_from_polluted_ones():
    data = slow_manifold(50, 51, seed=0)
    extra = d.joined(
        quadratic, lambda x: torch.stack([x[..., 1] ** 2, x.prod(-1), x[..., 1] ** 3, *(5 * x).sin().unbind(-1)], -1)
    )
    model = edmd(data, lift=extra)
    true = (model.eigenvalues[:, None] - torch.tensor(SPECTRUM)).abs().amin(0) < 1e-9
    assert true.all()
    kept = trusted(model, at_most=1e-8)
    assert hausdorff(kept.eigenvalues, torch.tensor(SPECTRUM))[0] < 1e-9 and len(kept.eigenvalues) < 8
    assert model.residuals.max() > 1e-4
    for part in (model, kept):
        assert torch.allclose(residuals_on(part, data), part.residuals, rtol=1e-3, atol=1e-9)
    moved = rollout(kept, data.x[:, 0], 50, mode="linear").x
    assert torch.allclose(moved, data.x, atol=1e-6)
    with pytest.raises(ValueError, match="no eigenpair has a residual of at most 1e-30"):
        trusted(model, at_most=1e-30)


def test_residuals_of_moments_are_those_of_rows():
    data = orbit(rotated(), 20, 5, noise=0.3)
    model = dmd(data)
    x, y = (model.lift(z) for z in pairs(data))
    found = residuals_of_moments(model.eigenvalues, model.vectors, x.T @ x, x.T @ y, y.T @ y)
    assert torch.allclose(found, model.residuals, rtol=1e-9) and found.min() > 0.05


# Dictionaries.


def test_monomials_are_all_products_once():
    x = normal(7, 3, seed=0)
    wanted = [x[:, 0] ** a * x[:, 1] ** b * x[:, 2] ** c for a in range(5) for b in range(5 - a) for c in range(5 - a - b)]
    found = d.monomials(3, degree=4)(x)
    assert found.shape == (7, 35) and torch.equal(found[:, :4], torch.cat([torch.ones(7, 1), x], 1).double())
    assert torch.allclose(found.sort(1).values, torch.stack(wanted, 1).sort(1).values)


def test_random_waves_tend_to_the_gaussian_kernel():
    x = normal(20, 3, seed=0)
    waves = d.random_fourier(3, count=20_000, width=1.5, seed=1)(x)
    assert torch.allclose(waves @ waves.T, d.radial(x, width=1.5)(x), atol=0.03)
    assert d.radial(x, width=1.5)(x)[0, 1].item() == pytest.approx(math.exp(-(x[0] - x[1]).square().sum() / 4.5))


def test_harmonics_of_each_coordinate():
    x = torch.tensor([[0.25, 0.5]], dtype=torch.float64)
    assert torch.allclose(d.trigonometric(2)(x), torch.tensor([[1, 0, -1, 1, 0, 1, -1, 1, 0, 0.0]]).double(), atol=1e-12)
    assert d.joined(d.constant, d.identity)(x).tolist() == [[1, 0.25, 0.5]]


# What is refused.


def good():
    return slow_manifold(3, 4, seed=0)


def broken():
    data = good()
    data.x[1, 2, 0] = math.nan
    return data


REFUSED = {
    "rank above dimension": (lambda: dmd(good(), rank=3), "rank 3 is more than the 2 numbers of a row"),
    "rank above pairs": (lambda: hankel_dmd(good(), delays=3, rank=4), "rank 4 wants as many pairs of snapshots, got 3"),
    "flat": (lambda: dmd(good()._replace(x=torch.ones(3, 4, 2).double()), rank=2), "span only 1 directions, rank 2 was asked"),
    "pairs": (lambda: edmd(good(), lift=d.monomials(2, degree=4)), "15 observables and controls want as many pairs, got 9"),
    "nan": (lambda: dmd(broken()), "trajectory 1 holds NaN or infinity at step 2"),
    "singular": (lambda: edmd(good(), lift=d.joined(quadratic, d.identity)), "G is singular: 5 observables span only 3"),
    "method": (lambda: dmd(good(), method="best"), "unknown method of DMD 'best'; known: exact, fb, tls"),
    "ridge": (lambda: edmd(good(), lift=quadratic, ridge=-1.0), "ridge must be a positive finite number"),
    "tensor": (lambda: dmd(good().x), "data must be Trajectories or a list of them"),
    "shape": (lambda: dmd(good()._replace(x=good().x[0])), r"x must have shape \(B, T, ...\)"),
    "integers": (lambda: dmd(good()._replace(x=good().x.long())), "x must be a floating tensor, got torch.int64"),
    "steps": (lambda: dmd([good(), good()._replace(dt=1.0)]), "must share one of their time steps"),
    "short": (lambda: pairs(good(), lag=4), "trajectories have 4 snapshots, pairs 4 apart need at least 5"),
    "no controls": (lambda: edmdc(good(), lift=quadratic), "data has no controls; use edmd"),
    "controls": (lambda: dmdc(good()._replace(controls=torch.zeros(3, 4, 1))), r"controls must have shape \(3, 3, m\)"),
    "lift": (lambda: edmd(good(), lift=lambda x: x / 0), "lift gives NaN or infinite observables"),
    "flat lift": (lambda: edmd(good(), lift=lambda x: x.sum(-1)), r"lift must map \(N, n\) to \(N, k\)"),
    "coordinates": (lambda: d.monomials(3, degree=2)(good().x), "these monomials take 3 coordinates, got 2"),
    "mode": (lambda: rollout(dmd(good()), good().x[:, 0], 5, mode="best"), "unknown mode of a rollout 'best'"),
    "start": (lambda: rollout(dmd(good()), good().x, 5, mode="linear"), "x0 must have shape .* with 2 numbers a snapshot"),
    "nan start": (lambda: rollout(dmd(good()), broken().x[:, 2], 5, mode="linear"), "x0 holds NaN or infinite values"),
    "moments": (lambda: trusted(dmd(good()), at_most=1.0, found=torch.ones(3)), "one residual for each of 2 eigenpairs"),
    "times": (lambda: from_times(good().x, torch.tensor([0.0, 1.0, 2.0, 3.5])), "got 1.5 after step 2 where the median is 1"),
    "backwards": (lambda: from_times(good().x, -torch.arange(4.0)), "times must grow by equal steps"),
    "few times": (lambda: from_times(good().x, torch.arange(3.0)), r"times must have shape \(4,\)"),
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_equal_times_make_trajectories():
    assert from_times(good().x, 0.5 * torch.arange(4)).dt == 0.5


def test_inputs_are_left_alone_and_nothing_global_is_seeded():
    data, state = good(), torch.get_rng_state()
    copy = data.x.clone()
    kernel_edmd(data, rank=2, width=1.0)
    edmd(data, lift=d.random_fourier(2, count=2, width=1.0, seed=0), ridge=1e-6)
    assert torch.equal(data.x, copy) and torch.equal(torch.get_rng_state(), state)


def test_every_method_of_dmd_repeats_its_bits():
    data = Trajectories(normal(400, 4, seed=0)[None], 1.0, {})
    for method in ("exact", "tls", "fb"):
        first = dmd(data, method=method).operator
        assert all(torch.equal(dmd(data, method=method).operator, first) for _ in range(20)), method


def test_a_diagonal_operator_and_the_same_one_a_little_off_have_the_same_eigenpairs():
    values = torch.polar(torch.tensor([0.3, 1.0, 0.7]), torch.tensor([1.0, 2.0, 0.5])).to(torch.complex128)
    off = torch.diag(values)
    off[0, 1] = 1e-9
    (found, vectors), (nearly, close) = eigen(torch.diag(values)), eigen(off)
    assert torch.equal(found, values[[1, 2, 0]]) and torch.equal(vectors, torch.eye(3, dtype=values.dtype)[:, [1, 2, 0]])
    torch.testing.assert_close(nearly, found)
    torch.testing.assert_close(close.abs(), vectors.abs(), atol=1e-8, rtol=0)
    assert eigen(torch.diag(torch.tensor([0.5, -2.0]).double()))[0].tolist() == [-2, 0.5]
