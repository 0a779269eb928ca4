"""The lattice keeps mass and momentum, becomes Poiseuille's flow, and may march in parts."""

import numpy as np
import pytest

from lib.data.dynamics import lattice, wake


def test_an_empty_channel_becomes_poiseuilles():
    height, speed, omega = 20, 0.01, 1.2
    y = np.arange(height) + 0.5
    profile = 6 * speed * y * (height - y) / height**2
    channel = lattice.still(np.zeros((60, height), bool), profile)
    lattice.march(channel, np.ones(8000, np.float32), omega, (30, 10), np.empty(8000, np.float32))
    rho, u = channel.moments[0, :, 1:-1], channel.moments[1, :, 1:-1] / channel.moments[0, :, 1:-1]
    assert abs(u[30] - profile).max() < 0.005 * profile.max()
    fall = (rho[20].mean() - rho[40].mean()) / 3 / 20  # pressure is a third of density
    viscosity = (1 / omega - 0.5) / 3
    assert fall == pytest.approx(12 * viscosity * speed / height**2, rel=0.02)


def test_lattice_collisions_keep_mass_and_momentum():
    rng = np.random.default_rng(0)
    f = (lattice.still(np.zeros((3, 5), bool), np.zeros(5)).f * rng.uniform(0.9, 1.1, (9, 3, 7))).astype(np.float32)
    moments, after = np.zeros((6, 3, 7), np.float32), f.copy()
    lattice.stream(f, moments, np.ones((3, 7), np.float32), 1)
    lattice.collide(after, moments, 1, np.float32(-0.8))
    there = after[:, 1, 1:-1].astype(float)
    for weight, found in zip((np.ones(9), lattice.CX, lattice.CY), moments[:3, 1, 1:-1], strict=True):
        assert weight @ there == pytest.approx(found, abs=1e-6)
    stress = (lattice.CX * lattice.CY) @ there - moments[1, 1, 1:-1] * moments[2, 1, 1:-1] / moments[0, 1, 1:-1]
    assert stress == pytest.approx(-0.8 * moments[4, 1, 1:-1], abs=1e-6)


def test_a_march_in_parts_is_the_march():
    ends = []
    for parts in ([5], [1, 3, 1]):
        channel = wake.cylinder(4, 0.05)
        for steps in parts:
            lattice.march(channel, np.ones(steps, np.float32), 1.5, (10, 8), np.empty(steps, np.float32))
        ends.append(channel.moments.copy())
    assert np.array_equal(*ends)
