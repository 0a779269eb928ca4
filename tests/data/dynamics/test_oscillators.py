"""Oscillators against closed forms, independent integrators and the variational equation."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from lib.data.dynamics import oscillators
from tests.data.dynamics.samples import LONGER


def complexes(*values):
    return torch.tensor(values, dtype=torch.complex128)


def test_duffing_has_its_local_spectra_and_solves_its_equation():
    data = oscillators.duffing(**LONGER)
    assert (data.truth["at_wells"] - complexes(-0.25 + 1.391941j, -0.25 - 1.391941j)).abs().max() < 1e-6
    assert (data.truth["at_saddle"] - complexes(-1.280776, 0.780776)).abs().max() < 1e-6
    field = lambda t, x: [x[1], x[0] - x[0] ** 3 - 0.5 * x[1]]  # noqa: E731
    exact = solve_ivp(field, (0, 2), data.x[0, 0].numpy(), rtol=1e-11, atol=1e-12).y[:, -1]
    assert data.x[0, -1].numpy() == pytest.approx(exact, abs=1e-7)


def test_duffings_basin_is_the_well_where_it_comes_to_rest():
    data = oscillators.duffing(trajectories=40, steps=1, dt=60.0, seed=1)
    assert torch.equal(data.x[:, -1, 0].round(decimals=3), data.truth["basin"]) and len(data.truth["basin"].unique()) == 2


def test_duffing_needs_friction():
    with pytest.raises(ValueError, match=r"damping must be at least 0\.01, got 0"):
        oscillators.duffing(**LONGER, damping=0)


def monodromy(field, jacobian, x, period):
    """Eigenvalues of the flow's derivative over one period, by the variational equation."""
    n = len(x)
    whole = lambda t, u: np.concatenate([field(t, u[:n]), (jacobian(u[:n]) @ u[n:].reshape(n, n)).ravel()])  # noqa: E731
    start = np.concatenate([x, np.eye(n).ravel()])
    end = solve_ivp(whole, (0, period), start, rtol=1e-11, atol=1e-13, method="DOP853").y[:, -1]
    return end[:n], np.linalg.eigvals(end[n:].reshape(n, n))


@pytest.mark.parametrize("mu", [1.0, 3.0])
def test_van_der_pols_cycle_is_that_of_the_variational_equation(mu):
    period, floquet = oscillators.limit_cycle(mu)
    field = lambda t, x: [x[1], mu * (1 - x[0] ** 2) * x[1] - x[0]]  # noqa: E731
    jacobian = lambda x: np.array([[0, 1], [-2 * mu * x[0] * x[1] - 1, mu * (1 - x[0] ** 2)]])  # noqa: E731
    on_cycle = solve_ivp(field, (0, 60), [2, 0], rtol=1e-11, atol=1e-12, method="DOP853").y[:, -1]
    end, multipliers = monodromy(field, jacobian, on_cycle, period)
    assert end == pytest.approx(on_cycle, abs=1e-8)
    assert sorted(abs(multipliers)) == pytest.approx([math.exp(floquet * period), 1], abs=1e-8)
    assert mu != 1 or (period, floquet) == pytest.approx((6.663287, -1.059377), abs=1e-6)


def test_van_der_pol_comes_back_after_its_period():
    period, _ = oscillators.limit_cycle(1.0)
    data = oscillators.van_der_pol(trajectories=3, steps=6, dt=period, seed=0)
    assert (data.x[:, -1] - data.x[:, -2]).abs().max() < 1e-6
    assert data.truth["spectrum"][3] == pytest.approx(math.exp(data.truth["floquet"] * period))
    with pytest.raises(ValueError, match=r"mu must lie in \(0, 5\], got 6"):
        oscillators.van_der_pol(**LONGER, mu=6)


@pytest.mark.parametrize("mu", [0.1, 0.2])
def test_the_mean_field_model_has_its_cycle_and_exponents(mu):
    data = oscillators.mean_field(trajectories=3, steps=2, dt=4 / mu, seed=0, mu=mu)
    assert (data.x[:, -1, :2].norm(dim=1) - 1).abs().max() < 1e-3 and (data.x[:, -1, 2] - 1).abs().max() < 1e-3
    jacobian = lambda u: np.array([  # noqa: E731
        [mu * (1 - u[2]), -1, -mu * u[0]], [1, mu * (1 - u[2]), -mu * u[1]], [20 * u[0], 20 * u[1], -10],
    ])  # fmt: skip
    field = lambda t, u: [mu * (1 - u[2]) * u[0] - u[1], u[0] + mu * (1 - u[2]) * u[1], -10 * (u[2] - u[0] ** 2 - u[1] ** 2)]  # noqa: E731
    end, multipliers = monodromy(field, jacobian, np.array([1.0, 0, 1]), 2 * math.pi)
    assert end == pytest.approx([1, 0, 1], abs=1e-9)
    wanted = [1, *(data.truth["floquet"] * 2 * math.pi).exp().real.tolist()]
    assert sorted(abs(multipliers)) == pytest.approx(sorted(wanted), abs=1e-8)
    with pytest.raises(ValueError, match="mu must be > 0, got -1"):
        oscillators.mean_field(**LONGER, mu=-1)


def test_the_mean_field_exponents_at_the_published_setting():
    found = oscillators.mean_field(**LONGER).truth["floquet"].real.sort().values
    assert found.tolist() == pytest.approx([-9.795832, -0.204168], abs=1e-6)
