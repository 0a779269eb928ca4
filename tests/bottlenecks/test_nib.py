"""The prices of NIB and its convex relatives against one bound, written out."""

import math

import torch

from lib.bottlenecks import BOTTLENECKS


def test_nib_and_its_relatives_charge_a_convex_function_of_one_bound(model, rows):
    mean = model.mean(rows[0])
    bound = math.log(20) - torch.logsumexp(-torch.cdist(mean, mean).square() / (2 * 0.7**2), -1).mean(-1)
    for name, h in (("nib", lambda r: r), ("square_nib", torch.square), ("exp_nib", torch.exp)):
        torch.testing.assert_close(BOTTLENECKS[name](model, *rows, deviation=0.7).price, h(bound))


def test_nib_charges_at_most_the_logarithm_of_the_batch(model, rows):
    model.activation = torch.tanh  # so that no two rows share a code
    with torch.no_grad():
        model.mean_head.weight.mul_(1e4)
    torch.testing.assert_close(BOTTLENECKS["nib"](model, *rows).price, torch.full((3,), math.log(20), dtype=torch.float64))
