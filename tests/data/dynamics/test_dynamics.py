"""Every system is what it says: closed forms, conserved quantities and spectra, and the integrators keep their order."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from lib.data.dynamics import DYNAMICS, integrate
from lib.data.dynamics.linear import chain_information, covariance, linear, slow_manifold
from lib.data.dynamics.maps import logistic_spectrum, noisy_logistic
from lib.data.dynamics.pendulum import pendulum, pendulum_embedded, pendulum_pixels

SMALL = {"trajectories": 3, "steps": 4, "dt": 0.05, "seed": 0}
CLOCKED = [name for name in DYNAMICS if name != "noisy_logistic"]


def asked(name):
    return {key: value for key, value in SMALL.items() if name in CLOCKED or key != "dt"}


def least_squares(x, y):
    return torch.linalg.lstsq(x, y).solution


def pairs(x):
    """All neighbouring snapshots, as rows."""
    return x[:, :-1].flatten(0, 1), x[:, 1:].flatten(0, 1)


def near(found, wanted):
    """Largest distance from a wanted eigenvalue to the nearest found one."""
    return float((wanted[:, None] - found[None]).abs().min(1).values.max())


# Laws of the whole family.


@pytest.mark.parametrize("name", [name for name in DYNAMICS if name != "wake"])  # a second a run: has a test of its own
def test_seeds_decide_and_the_first_axes_are_trajectories_and_time(name):
    first, again, other = (DYNAMICS[name](**asked(name) | {"seed": seed}) for seed in (0, 0, 1))
    assert first.x.shape[:2] == (3, 5) and first.x.dtype == torch.float64 and first.x.isfinite().all()
    assert torch.equal(first.x, again.x) and not torch.equal(first.x, other.x)
    assert first.dt == asked(name).get("dt", 1)


@pytest.mark.parametrize("name", DYNAMICS)
@pytest.mark.parametrize("wrong", ["trajectories", "steps"])
def test_counts_are_refused_below_one(name, wrong):
    with pytest.raises(ValueError, match=f"{wrong} must be a whole number >= 1, got 0"):
        DYNAMICS[name](**asked(name) | {wrong: 0})


@pytest.mark.parametrize("name", CLOCKED)
@pytest.mark.parametrize("dt", [0, -0.1, math.nan])
def test_a_time_between_snapshots_is_positive(name, dt):
    with pytest.raises(ValueError, match="dt must be a positive finite number"):
        DYNAMICS[name](**asked(name) | {"dt": dt})


# Integrators.


def test_runge_kutta_has_order_four():
    x0 = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    field = lambda x: torch.stack([x[:, 1], -x[:, 0]], 1)  # noqa: E731
    exact = torch.tensor([math.cos(2.0), -math.sin(2.0)], dtype=torch.float64)
    errors = [(integrate.rk4(field, x0, steps=1, dt=2.0, longest=h)[0, 1] - exact).norm() for h in (0.1, 0.05)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.05)


def test_exponential_runge_kutta_has_order_four_where_it_is_stiff():
    linear_part, v0 = (
        torch.tensor([0.0, -1.0, -50.0], dtype=torch.float64),
        torch.tensor([[0.5, 0.4, 0.3]], dtype=torch.complex128),
    )
    nonlinear = lambda v: torch.stack([-v[:, 0] * v[:, 1], v[:, 0] ** 2, v[:, 1] ** 2], 1)  # noqa: E731
    field = lambda t, v: (linear_part * torch.from_numpy(v) + nonlinear(torch.from_numpy(v)[None]).real[0]).numpy()  # noqa: E731
    exact = torch.from_numpy(solve_ivp(field, (0, 1), v0[0].real.numpy(), method="Radau", rtol=1e-12, atol=1e-13).y[:, -1])
    errors = []
    for n in (10, 20):
        step, v = integrate.etdrk4(linear_part, nonlinear, 1 / n), v0
        for _ in range(n):
            v = step(v)
        errors.append(float((v[0].real - exact).norm()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_a_solution_that_explodes_is_refused():
    with pytest.raises(ValueError, match=r"grew without bound at dt = 1\.0; give a smaller dt"):
        integrate.rk4(lambda x: x**3, torch.full((1, 1), 9.0, dtype=torch.float64), steps=30, dt=1.0, longest=1.0)


# Linear systems.


@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_least_squares_finds_the_spectrum_of_a_linear_system(dt):
    data = linear(trajectories=20, steps=30, dt=dt, seed=0)
    k = least_squares(*pairs(data.x))
    assert (k - data.truth["operator"]).abs().max() < 1e-10
    assert near(torch.linalg.eigvals(k), data.truth["spectrum"]) < 1e-10
    assert data.truth["spectrum"][0].abs() == pytest.approx(0.99**dt, abs=1e-14)


def test_a_noisy_linear_system_is_stationary():
    data = linear(trajectories=20_000, steps=3, dt=1.0, seed=0, noise=0.3)
    c = data.truth["covariance"]
    for t in (0, 3):
        assert (torch.cov(data.x[:, t].T) - c).abs().max() < 0.06 * c.abs().max()  # 4 standard deviations
    assert (c - data.truth["operator"].T @ c @ data.truth["operator"] - 0.09 * torch.eye(4, dtype=c.dtype)).abs().max() < 1e-12


@pytest.mark.parametrize("lag", [1, 5])
def test_a_chains_information_is_that_of_its_canonical_correlations(lag):
    data = linear(trajectories=1, steps=1, dt=1.0, seed=3, noise=0.3)
    skewed = data.truth["operator"] + 0.3 * torch.diag(torch.ones(2).double(), 2)  # not normal: K^T K is not K K^T
    for k in (data.truth["operator"], skewed):
        c = covariance(k, 0.3)
        root = torch.linalg.cholesky(c)
        cross = torch.linalg.solve(root, c @ torch.linalg.matrix_power(k, lag)) @ torch.linalg.inv(root).T
        wanted = -0.5 * torch.log1p(-torch.linalg.svdvals(cross).square()).sum().item()  # both ends have covariance c
        assert chain_information(k, 0.3, c, lag=lag) == pytest.approx(wanted, abs=1e-9)
    assert data.truth["mi"] == chain_information(data.truth["operator"], 0.3, data.truth["covariance"])


def test_noise_is_not_negative():
    with pytest.raises(ValueError, match="noise must be >= 0, got -1"):
        linear(**SMALL, noise=-1)
    with pytest.raises(ValueError, match="noise must be a positive finite number"):
        chain_information(torch.eye(2), 0.0, torch.eye(2))


def test_the_slow_manifold_solves_its_equation():
    data = slow_manifold(trajectories=5, steps=400, dt=0.005, seed=0)
    x, h = data.x, 0.005
    slope = (8 * (x[:, 3:-1] - x[:, 1:-3]) - (x[:, 4:] - x[:, :-4])) / (12 * h)  # of order 4
    x1, x2 = x[:, 2:-2, 0], x[:, 2:-2, 1]
    residual = slope - torch.stack([-0.05 * x1, -(x2 - x1**2)], 2)
    assert residual.abs().max() < 1e-8


def test_three_observables_close_the_slow_manifold():
    data = slow_manifold(trajectories=20, steps=50, dt=0.02, seed=0)
    lifted = torch.cat([data.x, data.x[..., :1] ** 2], 2)
    found = torch.linalg.eigvals(least_squares(*pairs(lifted)))
    assert near(found, data.truth["spectrum"]) < 1e-10
    assert torch.equal(data.truth["rates"], torch.tensor([-0.05, -1.0, -0.1], dtype=torch.float64))
    with pytest.raises(ValueError, match=r"decay = 2 mu = -0\.1 is resonant"):
        slow_manifold(**SMALL, decay=-0.1)


# The noisy logistic map.


@pytest.mark.parametrize(
    ("power", "wanted"),
    [(10, [1, -0.193338 + 0.190943j, -0.193338 - 0.190943j, -0.026655, 0.022119, 0.005342]), (20, [1, -0.208118 + 0.325683j])],
)
def test_the_maps_spectrum_is_the_computed_one(power, wanted):
    found = logistic_spectrum(power)
    assert len(found) == 2 * power + 1
    assert (found[: len(wanted)] - torch.tensor(wanted, dtype=torch.complex128)).abs().max() < 1e-6


def test_the_maps_spectrum_is_that_of_its_discretised_kernel():
    nodes, weights = np.polynomial.legendre.leggauss(120)
    y = (nodes + 1) / 2
    kernel = np.cos(np.pi * (y[None] - 4 * y[:, None] * (1 - y[:, None]))) ** 20
    values = np.linalg.eigvals(kernel * weights / 2 / (math.comb(20, 10) / 4**10))
    found = torch.from_numpy(values[np.argsort(-abs(values))][:21])
    assert near(found, logistic_spectrum(10)[:7]) < 1e-9


def test_the_noise_is_wrapped_and_has_its_spread():
    data = noisy_logistic(trajectories=500, steps=200, seed=0)
    before, after = pairs(data.x)
    noise = (after - 4 * before * (1 - before) + 0.5) % 1 - 0.5
    xi = np.linspace(-0.5, 0.5, 20_001)
    density = np.cos(np.pi * xi) ** 20
    assert noise.std() == pytest.approx(math.sqrt((xi**2 * density).sum() / density.sum()), rel=0.01)
    assert noise.std() == pytest.approx(0.06943, rel=0.01)
    assert data.x.min() >= 0 and data.x.max() < 1


def test_the_invariant_dictionary_finds_the_maps_spectrum():
    data = noisy_logistic(trajectories=1000, steps=400, seed=0)
    x, y = pairs(data.x)
    waves = [torch.exp(2j * math.pi * torch.arange(-10, 11) * 4 * z * (1 - z)) for z in (x, y)]
    gram, cross = (waves[0].mH @ wave for wave in waves)
    assert near(torch.linalg.eigvals(torch.linalg.solve(gram, cross)), logistic_spectrum(10)[:3]) < 0.03


# The pendulum.


@pytest.mark.parametrize(("amplitude", "period", "angle"), [(0.8, 2.089381, 0.300720), (2.4, 3.129793, 0.200754)])
def test_the_pendulum_has_its_period(amplitude, period, angle):
    data = pendulum(trajectories=2, steps=30, dt=0.1, seed=0, amplitudes=(amplitude, amplitude))
    assert data.truth["period"] == pytest.approx([period] * 2, abs=1e-6)
    assert data.truth["angle"] == pytest.approx([angle] * 2, abs=1e-6)
    assert data.truth["spectrum"].angle() == pytest.approx([angle, -angle], abs=1e-6)
    again = pendulum(trajectories=2, steps=2, dt=float(data.truth["period"][0]), seed=0, amplitudes=(amplitude, amplitude))
    assert (again.x - again.x[:, :1]).abs().max() < 1e-10


def test_the_pendulum_solves_its_equation_and_runge_kutta_keeps_its_energy():
    data = pendulum(trajectories=4, steps=40, dt=0.1, seed=1, amplitudes=(0.3, 2.4))
    field = lambda x: torch.stack([x[:, 1], -9.81 * x[:, 0].sin()], 1)  # noqa: E731
    solved = integrate.rk4(field, data.x[:, 0], steps=40, dt=0.1, longest=0.0025)
    assert (solved - data.x).abs().max() < 1e-7
    energy = solved[..., 1] ** 2 / 2 - 9.81 * solved[..., 0].cos()
    assert (energy - data.truth["energy"][:, None]).abs().max() < 1e-6
    assert data.truth["amplitude"].min() >= 0.3 and "spectrum" not in data.truth


def test_the_embedded_pendulum_lies_in_a_plane():
    data, flat = (make(**SMALL) for make in (pendulum_embedded, pendulum))
    frame = data.truth["frame"]
    assert data.x.shape[-1] == 64 and (frame @ frame.T - torch.eye(2)).abs().max() < 1e-12
    assert (data.x @ frame.T - flat.x).abs().max() < 1e-12


def test_pictures_show_the_angle_and_the_frame_before():
    data = pendulum_pixels(trajectories=2, steps=20, dt=0.05, seed=0)
    assert data.x.shape == (2, 21, 2, 48, 48) and data.x.max() == 1 and data.x.min() == 0
    assert torch.equal(data.x[:, 1:, 0], data.x[:, :-1, 1])
    rows = torch.arange(48) - 23.5
    mass = data.x[:, :, 1].sum((-2, -1))
    across, down = (data.x[:, :, 1].sum(axis) @ rows.double() / mass for axis in (-2, -1))
    error = torch.atan2(across, down) - data.truth["states"][..., 0]
    assert error.abs().max() < 0.06


@pytest.mark.parametrize("limits", [(0.0, 1.0), (1.0, 3.2), (2.0, 1.0)])
def test_amplitudes_lie_below_the_top(limits):
    with pytest.raises(ValueError, match=r"amplitudes must lie in \(0, pi\)"):
        pendulum(**SMALL, amplitudes=limits)
