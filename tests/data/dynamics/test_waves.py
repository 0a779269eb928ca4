"""Waves against exact solutions, another scheme and their order."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from lib.data.dynamics import waves
from tests.data.dynamics.samples import LONGER


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
        waves.kuramoto_sivashinsky(**LONGER, points=16)
