"""Rates that depend on the radius: each pair turns by its own, and every term is its formula."""

import torch

from lib.koopman import lusch
from lib.koopman.lusch import LuschNet, lusch_terms
from tests.koopman.samples import SHAPE
from tests.samples import normal


def test_lusch_turns_each_pair_by_a_rate_of_its_own_radius():
    model = LuschNet([0, 1], 3, SHAPE | {"code": 3, "pairs": 1, "reals": 1, "auxiliary": [5], "dt": 0.5}).double()
    z = normal(2, 6, 3, seed=0)
    rates = model.rates(model.auxiliary[0], z[..., :2].square().sum(-1, keepdim=True))
    turned = torch.view_as_complex(z[..., :2].contiguous()) * torch.exp(0.5 * torch.view_as_complex(rates.contiguous()))
    led = model.led(z)
    torch.testing.assert_close(torch.view_as_complex(led[..., :2].contiguous()), turned)
    torch.testing.assert_close(led[..., 2:], z[..., 2:] * (0.5 * model.rates(model.auxiliary[1], z[..., 2:])).exp())
    x, y, noise = 0.3 * normal(2, 4, 6, 3, seed=1), normal(2, 4, 5, 0, seed=2), None
    terms = lusch_terms(model, x, y, noise, balance=lusch.Balance(), reach=2)
    first = model.mean(x[:, :, 0])
    two = model.decode(model.led(model.led(first))) - x[:, :, 2]
    one = model.decode(model.led(first)) - x[:, :, 1]
    torch.testing.assert_close(terms.watch["prediction"], (one.square() + two.square()).mean((1, 2)) / 2)
    worst = (model.decode(first) - x[:, :, 0]).abs().amax((1, 2)) + one.abs().amax((1, 2))
    torch.testing.assert_close(terms.watch["worst"], worst)
    five = first
    errors = []
    for t in range(1, 6):
        five = model.led(five)
        errors.append((five - model.mean(x[:, :, t])).square().mean((1, 2)))
    torch.testing.assert_close(terms.watch["linearity"], torch.stack(errors).mean(0))
