"""A wake, dams and a rope against rhythms, exact solutions and eigenfrequencies."""

import math

import numpy as np
import pytest
import torch

from lib.data.dynamics import lattice, rope, shallow_water, wake

SMALL = {"trajectories": 2, "steps": 3, "dt": 0.05, "seed": 0}


# The wake.


def test_vortices_come_off_at_the_known_rhythm():
    data = wake.wake(trajectories=1, steps=20, dt=0.2, seed=0, size=32)
    assert 0.29 < data.truth["strouhal"] < 0.31
    assert data.truth["angle"] == pytest.approx(2 * math.pi * 0.2 * data.truth["strouhal"])
    u = data.x[0, :, 0]
    assert data.x.shape == (1, 21, 2, 32, 32) and 1.5 < u.max() < 3 and u.min() < -0.1  # water runs back behind the cylinder
    assert u.mean((0, 2))[[0, -1]].max() < 0.5 < u.mean((0, 2))[5]  # slow at the walls
    fluxes = u[:, :, -1].mean(1)  # what passes any cross-section is the mean inflow
    assert fluxes.mean() == pytest.approx(1, abs=0.05)


def test_seeds_decide_the_moment_and_the_reynolds_number():
    settings = {"trajectories": 1, "steps": 1, "dt": 0.1, "reynolds": (90.0, 110.0), "size": 8}
    first, again, other = (wake.wake(**settings, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.x, again.x) and not torch.equal(first.x, other.x)
    assert 90 < first.truth["reynolds"] < 110 and first.truth["reynolds"] != other.truth["reynolds"]


def test_slow_flow_sheds_nothing():
    _, strouhal = wake.shed(20.0, 2, 0.2, wait=0.0, size=8)
    assert strouhal == 0


@pytest.mark.parametrize("period", [3.37, 12.1])
def test_crossings_count_a_sines_turns(period):
    t = 0.1 * torch.arange(1000, dtype=torch.float64)
    assert wake.strouhal(0.3 + torch.sin(2 * math.pi * t / period), 0.1) == pytest.approx(1 / period, rel=2e-3)
    assert wake.strouhal(1e-3 * torch.sin(t), 0.1) == 0


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


@pytest.mark.parametrize("reynolds", [(0, 100), (200, 100), (100, 300)])
def test_reynolds_numbers_that_the_lattice_cannot_hold_are_refused(reynolds):
    with pytest.raises(ValueError, match=r"reynolds must be in order and lie in \(0, 250\]"):
        wake.wake(**SMALL, reynolds=reynolds)


def test_a_step_shorter_than_the_lattices_is_refused():
    with pytest.raises(ValueError, match=r"dt must be at least 0\.002 for the wake, got 0\.001"):
        wake.wake(**SMALL | {"dt": 0.001})


# Dams.


def broken(points, left=1.0, right=0.2):
    """The state 0.8 after a dam, by the scheme, and by Stoker."""
    h = torch.full((points,), right, dtype=torch.float64)
    h[: points // 2] = left
    found = shallow_water.evolved(torch.stack([h, 0 * h])[None, :, None], steps=1, dt=0.8, cell=10 / points)
    at = (torch.arange(points, dtype=torch.float64) + 0.5) * 10 / points - 5
    return found[0, -1, :, 0], torch.stack(shallow_water.stoker(at, 0.8, left=left, right=right))


def test_stokers_middle_state():
    assert shallow_water.middle(1.0, 0.2) == pytest.approx((0.50787, 1.80001, 2.96933), abs=1e-5)


def test_stokers_solution_keeps_volume_and_obeys_the_equation_in_its_fan():
    x = torch.linspace(-5, 5, 200_001, dtype=torch.float64)
    h, _ = shallow_water.stoker(x, 0.8, left=1.0, right=0.2)
    assert torch.trapezoid(h, x) == pytest.approx(6, abs=1e-4)
    x, e = torch.tensor([-1.0, -0.5], dtype=torch.float64), 1e-5
    depth, speed = shallow_water.stoker(x, 0.8, left=1.0, right=0.2)
    later, sooner = (shallow_water.stoker(x, 0.8 + s, left=1.0, right=0.2)[0] for s in (e, -e))
    ahead, behind = (shallow_water.stoker(x + s, 0.8, left=1.0, right=0.2) for s in (e, -e))
    assert ((later - sooner) + (ahead[0] * ahead[1] - behind[0] * behind[1])).abs().max() / (2 * e) < 1e-6
    assert (speed + 2 * (9.81 * depth).sqrt() - 2 * math.sqrt(9.81)).abs().max() < 1e-12


def test_the_scheme_converges_to_stoker_in_order_one():
    errors = [(found[0] - exact[0]).abs().mean().item() for found, exact in map(broken, (100, 200, 400))]
    assert errors == pytest.approx([5.5e-3, 2.8e-3, 1.4e-3], rel=0.05)
    assert math.log2(errors[0] / errors[2]) / 2 == pytest.approx(1, abs=0.1)


def test_a_dam_break_says_what_stoker_says_and_loses_no_water():
    data = shallow_water.dam_break(trajectories=3, steps=4, dt=0.2, seed=0)
    centre = data.x[:, -1, :, 110]
    assert (centre[:, 0] - data.truth["middle"]).abs().max() < 2e-3
    assert (centre[:, 1] - data.truth["velocity"]).abs().max() < 5e-3
    assert (data.x[:, :, 0].sum(2) / 20 - data.truth["volume"][:, None]).abs().max() < 1e-13


def test_a_square_basin_loses_no_water_and_knows_no_direction():
    data = shallow_water.dam_break_square(trajectories=2, steps=4, dt=0.2, seed=0, points=32)
    assert (data.x[:, :, 0].sum((2, 3)) * (10 / 32) ** 2 - data.truth["volume"][:, None]).abs().max() < 1e-12
    q = torch.stack([data.x[:, 2, 0], *(data.x[:, 2, 0] * data.x[:, 2, i] for i in (1, 2))], 1)
    turned = shallow_water.rates(q[:, [0, 2, 1]].transpose(2, 3), 0.3).transpose(2, 3)[:, [0, 2, 1]]
    assert (turned - shallow_water.rates(q, 0.3)).abs().max() < 1e-10
    mirrored = q.flip(-1) * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    back = shallow_water.rates(mirrored, 0.3).flip(-1) * torch.tensor([1.0, -1.0, 1.0])[:, None, None]
    assert (back - shallow_water.rates(q, 0.3)).abs().max() < 1e-10


def test_a_plane_dam_in_the_square_is_the_dam_on_a_line():
    h = torch.where(torch.arange(40) < 20, 1.0, 0.3).double().expand(40, 40)
    square = shallow_water.evolved(torch.stack([h, 0 * h, 0 * h])[None], steps=1, dt=0.5, cell=0.25)[0, -1]
    line = shallow_water.evolved(torch.stack([h[:1], 0 * h[:1]])[None], steps=1, dt=0.5, cell=0.25)[0, -1]
    assert (square[:2] - line).abs().max() < 1e-12 and square[2].abs().max() < 1e-12


def test_dams_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"depths must be left > right > 0, got 0\.2 and 1\.0"):
        shallow_water.middle(0.2, 1.0)
    with pytest.raises(ValueError, match="t must be a positive finite number"):
        shallow_water.stoker(torch.zeros(1), 0.0, left=1.0, right=0.2)


# The rope.


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
        rope.rope(**SMALL, balls=2)
