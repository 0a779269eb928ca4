"""The rope rings at its eigenfrequencies, keeps what nothing takes, and follows a push."""

import math

import pytest
import torch

from lib.data.dynamics import rope
from tests.data.dynamics.samples import SHORT


def made(*, stiffness=800.0, damping=0.0, gravity=0.0, rail=False):
    return rope.Rope(*(torch.tensor([value], dtype=torch.float64) for value in (stiffness, damping, gravity)), rail)


def straight(balls):
    x = torch.zeros(1, balls, 2, dtype=torch.float64)
    x[0, :, 0] = rope.REST * torch.arange(balls, dtype=torch.float64)
    return x


def laplacian(balls, stiffness):
    """The stiffness matrix of small stretches along the rope, with springs to both next balls."""
    k = torch.zeros(balls, balls, dtype=torch.float64)
    for hop, share in ((1, stiffness), (2, stiffness / 2)):
        for i in range(balls - hop):
            ends = torch.zeros(balls, dtype=torch.float64)
            ends[i], ends[i + hop] = 1, -1
            k += share * torch.outer(ends, ends)
    return k


@pytest.mark.parametrize("mode", [1, 3, 5])
def test_a_free_rope_rings_at_the_eigenfrequencies_of_its_springs(mode):
    values, shapes = torch.linalg.eigh(laplacian(6, 800.0))
    x, steps, dt = straight(6), 200, 0.001
    x[0, :, 0] += 1e-4 * shapes[:, mode]
    out = rope.swing(made(), x, torch.zeros_like(x), torch.zeros(1, steps, 1, dtype=torch.float64), dt=dt)
    amplitude = (out[0, :, :, 0] - straight(6)[0, :, 0]) @ shapes[:, mode] / 1e-4
    per_step = math.acos(1 - values[mode] * dt**2 / 2)  # the scheme's own frequency, h^2 omega^2 / 24 above the exact one
    assert per_step / dt == pytest.approx(math.sqrt(values[mode]), rel=2e-3)
    wanted = torch.cos(per_step * torch.arange(steps + 1, dtype=torch.float64))
    assert (amplitude - wanted).abs().max() < 1e-6


def test_momentum_and_energy_are_kept_where_nothing_takes_them():
    generator = torch.Generator().manual_seed(0)
    v = 0.3 * torch.randn(1, 5, 2, generator=generator, dtype=torch.float64)
    out = rope.swing(made(), straight(5), v, torch.zeros(1, 50, 1, dtype=torch.float64), dt=0.02)
    momentum = out[..., 2:].sum(2)
    assert (momentum - momentum[:, :1]).abs().max() < 1e-11
    energy = out[..., 2:].square().sum((2, 3)) / 2
    for hop, share in ((1, 800.0), (2, 400.0)):
        length = (out[:, :, hop:, :2] - out[:, :, :-hop, :2]).norm(dim=3)
        energy = energy + share / 2 * (length - hop * rope.REST).square().sum(2)
    assert (energy / energy[:, :1] - 1).abs().max() < 2e-3


def test_a_damped_rope_loses_energy_at_the_rate_of_its_modes_and_falls_freely():
    values, shapes = torch.linalg.eigh(laplacian(3, 800.0))
    x, d = straight(3), 0.01
    x[0, :, 0] += 1e-4 * shapes[:, 1]
    still = torch.zeros(1, 100, 1, dtype=torch.float64)
    out = rope.swing(made(damping=800 * d, gravity=-5.0), x, torch.zeros_like(x), still, dt=0.002)
    amplitude = (out[0, :, :, 0] - straight(3)[0, :, 0]) @ shapes[:, 1] / 1e-4
    t, w2 = 0.002 * torch.arange(101, dtype=torch.float64), float(values[1])
    ring = math.sqrt(w2 - (d * w2 / 2) ** 2)
    wanted = torch.exp(-d * w2 / 2 * t) * ((ring * t).cos() + d * w2 / 2 / ring * (ring * t).sin())
    assert (amplitude - wanted).abs().max() < 2e-3
    assert (out[0, :, :, 1] + 2.5 * t[:, None] ** 2).abs().max() < 1e-8


def test_damping_leaves_the_order_two(monkeypatch):
    ends = []
    for longest in (0.001, 0.0005, 0.00025):
        monkeypatch.setattr(rope, "LONGEST", longest)
        ends.append(rope.rope(trajectories=5, steps=5, dt=0.02, seed=0, balls=5).x[:, -1])
    first, second = (ends[0] - ends[1]).norm(), (ends[1] - ends[2]).norm()
    assert math.log2(first / second) == pytest.approx(2, abs=0.3)


def test_a_push_moves_the_first_ball_along_its_rail():
    data = rope.rope(trajectories=3, steps=10, dt=0.02, seed=0, balls=5)
    assert data.controls.shape == (3, 10, 1) and data.controls.abs().max() <= 2
    assert data.x.shape == (3, 11, 5, 4) and (data.x[:, :, 0, 1::2] == 0).all()
    start = made(rail=True), straight(4), torch.zeros(1, 4, 2, dtype=torch.float64)
    pushed = rope.swing(*start, torch.full((1, 1, 1), 1.5, dtype=torch.float64), dt=0.02)
    assert pushed[0, 1, :, 2].sum() == pytest.approx(1.5)
    with pytest.raises(ValueError, match="balls must be a whole number >= 3, got 2"):
        rope.rope(**SHORT, balls=2)
