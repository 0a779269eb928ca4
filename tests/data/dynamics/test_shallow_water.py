"""Dams break as Stoker says, lose no water and know no direction."""

import math

import pytest
import torch

from lib.data.dynamics import shallow_water


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
