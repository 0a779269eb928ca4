"""Oscillators, Lorenz's system and waves against closed forms, independent integrators and known exponents."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from lib.data.dynamics import lorenz, oscillators, waves
from lib.data.dynamics.integrate import rk4, rk4_step

SMALL = {"trajectories": 4, "steps": 20, "dt": 0.1, "seed": 0}


def complexes(*values):
    return torch.tensor(values, dtype=torch.complex128)


# Oscillators.


def test_duffing_has_its_local_spectra_and_solves_its_equation():
    data = oscillators.duffing(**SMALL)
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
        oscillators.duffing(**SMALL, damping=0)


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
        oscillators.van_der_pol(**SMALL, mu=6)


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
        oscillators.mean_field(**SMALL, mu=-1)


def test_the_mean_field_exponents_at_the_published_setting():
    found = oscillators.mean_field(**SMALL).truth["floquet"].real.sort().values
    assert found.tolist() == pytest.approx([-9.795832, -0.204168], abs=1e-6)


# Lorenz.


def test_compiled_steps_are_runge_kutta_steps():
    data = lorenz.lorenz(trajectories=5, steps=30, dt=0.03, seed=0)
    slow = rk4(lorenz.field, data.x[:, 0], steps=30, dt=0.03, longest=0.01)
    assert (slow - data.x).abs().max() < 1e-10
    assert data.x[..., 2].min() > 0 and data.x.abs().max() < 60


def test_lorenz_exponents():
    start = lorenz.lorenz(trajectories=500, steps=1, dt=0.01, seed=0).x[:, -1]
    step = lambda x: rk4_step(lorenz.field, x, 0.01)  # noqa: E731
    found = lorenz.lyapunov_spectrum(step, start, count=3, rounds=200, every=10, burn_in=50).mean(0) / 0.01
    truth = lorenz.lorenz(**SMALL).truth
    assert found.sum() == pytest.approx(truth["sum"], abs=1e-3) and truth["sum"] == pytest.approx(-13.66667, abs=1e-5)
    assert found[0] == pytest.approx(0.906, abs=0.01) and found[1] == pytest.approx(0, abs=0.01)
    assert lorenz.kaplan_yorke(found) == pytest.approx(2.062, abs=0.002) == truth["kaplan_yorke"]


def test_exponents_of_a_linear_map_are_the_logarithms_of_its_eigenvalues():
    turned = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    k = turned @ torch.diag(torch.tensor([1.1, 0.7, 0.2], dtype=torch.float64)) @ turned.T
    found = lorenz.lyapunov_spectrum(lambda x: x @ k, torch.ones(1, 3).double(), count=2, rounds=10, every=2, burn_in=20)
    assert found[0].tolist() == pytest.approx([math.log(1.1), math.log(0.7)], abs=1e-6)


@pytest.mark.parametrize(("exponents", "dimension"), [([-1.0, -2.0], 0.0), ([0.5, -1.0, 0.0], 2.5), ([0.0, -1.0], 1.0)])
def test_kaplan_yorke_by_hand(exponents, dimension):
    assert lorenz.kaplan_yorke(torch.tensor(exponents)) == dimension


def test_bad_exponents_and_burn_in_are_refused():
    with pytest.raises(ValueError, match=r"the 2 exponents sum to 0\.3 >= 0; give more of them"):
        lorenz.kaplan_yorke(torch.tensor([0.2, 0.1]))
    with pytest.raises(ValueError, match="count is 4, but states have 3 columns"):
        lorenz.lyapunov_spectrum(lambda x: x, torch.ones(1, 3), count=4, rounds=1, every=1, burn_in=0)
    with pytest.raises(ValueError, match="burn_in must be >= 0 units of time, got -1"):
        lorenz.lorenz(**SMALL, burn_in=-1)


# Waves.


def test_burgers_is_the_exact_solution():
    data = waves.burgers(trajectories=4, steps=4, dt=0.25, seed=0)
    settings = {"viscosity": 0.02, "steepness": data.truth["steepness"], "shift": data.truth["shift"]}
    for t in range(5):
        assert (data.x[:, t] - waves.burgers_exact(0.25 * t, 128, **settings)).abs().max() < 1e-10


def test_the_steepest_wave_keeps_its_accuracy():
    steep = {"viscosity": 0.02, "steepness": torch.tensor([1.05]).double(), "shift": torch.zeros(1).double()}
    step = waves.etdrk4(-0.02 * (math.pi * torch.arange(65, dtype=torch.float64)) ** 2, waves.transport(128, 2.0), 0.002)
    found = waves.evolved(step, waves.burgers_exact(0.0, 128, **steep), steps=1, inner=500, dt=1.0)[:, -1]
    assert (found - waves.burgers_exact(1.0, 128, **steep)).abs().max() < 1e-10


def test_heat_amplitudes_beneath_burgers_decay_by_the_spectrum():
    data = waves.burgers(trajectories=1, steps=1, dt=0.5, seed=0)
    k = math.pi * torch.arange(1, 64)
    slope = torch.fft.rfft(data.x[0]) / -0.04  # of log heat
    log_heat = torch.zeros(2, 65, dtype=torch.complex128)
    log_heat[:, 1:64] = slope[:, 1:64] / (1j * k)
    heat = torch.fft.rfft(torch.fft.irfft(log_heat).exp())
    ratio = (heat[1, 1] / heat[1, 0]) / (heat[0, 1] / heat[0, 0])
    assert ratio.real == pytest.approx(float(data.truth["spectrum"][1].real), abs=1e-9)


def test_a_pole_is_refused():
    with pytest.raises(ValueError, match="steepness must be > 1, got 1"):
        waves.burgers_exact(0.0, 16, viscosity=0.1, steepness=torch.ones(1), shift=torch.zeros(1))


def test_kuramoto_sivashinsky_converges_in_order_four():
    start = waves.kuramoto_sivashinsky(trajectories=2, steps=1, dt=0.1, seed=0).x[:, -1]
    step = lambda n: waves.ks_step(22.0, 64, 2 / n)  # noqa: E731
    ends = [waves.evolved(step(n), start, steps=1, inner=n, dt=2.0)[:, -1] for n in (640, 80, 160)]
    first, second = ((end - ends[0]).norm() for end in ends[1:])
    assert math.log2(first / second) == pytest.approx(4, abs=0.5)


def test_kuramoto_sivashinsky_solves_its_equation_by_another_scheme():
    start = waves.kuramoto_sivashinsky(trajectories=1, steps=1, dt=0.1, seed=0).x[0, -1].numpy()
    k = 2j * np.pi / 22 * np.fft.fftfreq(64, 1 / 64)

    def field(t, u):
        v = np.fft.fft(u)
        return -u * np.fft.ifft(k * v).real - np.fft.ifft((k**2 + k**4) * v).real

    exact = solve_ivp(field, (0, 2), start, method="BDF", rtol=1e-9, atol=1e-10).y[:, -1]
    found = waves.evolved(waves.ks_step(22.0, 64, 0.05), torch.from_numpy(start)[None], steps=1, inner=40, dt=2.0)
    assert found[0, -1].numpy() == pytest.approx(exact, abs=1e-5)


def test_kuramoto_sivashinsky_keeps_its_mean_and_has_its_spread():
    data = waves.kuramoto_sivashinsky(trajectories=30, steps=50, dt=2.0, seed=0)
    assert data.x.mean(-1).abs().max() < 1e-12
    assert data.x.square().mean().sqrt() == pytest.approx(data.truth["rms"], abs=0.04)
    with pytest.raises(ValueError, match=r"16 points do not resolve a length of 22\.0; give at least 33"):
        waves.kuramoto_sivashinsky(**SMALL, points=16)
