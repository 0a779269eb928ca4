"""The pendulum has its period and energy; its pictures show its angle."""

import pytest
import torch

from lib.data.dynamics import integrate
from lib.data.dynamics.pendulum import pendulum, pendulum_embedded, pendulum_pixels
from tests.data.dynamics.samples import SMALL


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
