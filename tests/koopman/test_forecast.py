"""Rollouts of networks are powers of their operator, in two named ways, and say where they leave the data."""

import math

import pytest
import torch

from lib.koopman.autoencoder import Autoencoder
from lib.koopman.forecast import Settled, rollout
from tests.samples import normal


def exact(growth=1.0):
    """A network without hidden layers whose code is its input, turned and scaled at each step."""
    model = Autoencoder([0], 2, {"hidden": [], "code": 2, "decoder": [], "activation": "tanh"}).double()
    with torch.no_grad():
        for layer in (model.mean_head, model.output):
            layer.weight.copy_(torch.eye(2)), layer.bias.zero_()
    c, s = growth * math.cos(0.3), growth * math.sin(0.3)
    box = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]]).double()
    return Settled(model, torch.tensor([[[c, s], [-s, c]]]).double(), box)


@pytest.mark.parametrize("mode", ["linear", "relift"])
def test_a_rollout_is_powers_of_the_operator_and_says_where_it_leaves(mode):
    settled, x0 = exact(1.2), torch.tensor([[[0.5, 0.0], [0.0, 0.01]]]).double()
    found = rollout(settled, x0, 20, mode=mode)
    torch.testing.assert_close(found.x[:, :, 20], x0 @ torch.linalg.matrix_power(settled.operator, 20))
    assert torch.equal(found.x[:, :, 0], x0) and found.x.shape == (1, 2, 21, 2) and found.mode == mode
    left = [t for t in range(21) if found.x[0, 0, t].abs().max() > 3]
    assert found.left_at.tolist() == [[left[0], -1]]
    assert settled.eigenvalues()[0].abs().tolist() == pytest.approx([1.2, 1.2])


def test_modes_differ_where_the_decoder_does_not_undo_the_encoder():
    settled, x0 = exact(), torch.tensor([[[0.5, 0.1]]]).double()
    with torch.no_grad():
        settled.model.output.weight.mul_(1.1)
    linear, relift = (rollout(settled, x0, 5, mode=mode).x[0, 0] for mode in ("linear", "relift"))
    torch.testing.assert_close(relift[1:], linear[1:] * 1.1 ** torch.arange(5)[:, None].double())


def test_a_rollout_that_overflows_holds_its_last_finite_snapshot_and_controls_push():
    found = rollout(exact(1e200), torch.ones(1, 1, 2).double(), 4, mode="linear")
    assert found.x.isfinite().all() and found.left_at.item() == 1
    settled = exact()
    pushed = settled._replace(operator=torch.cat([settled.operator, torch.tensor([[[1.0, -1.0]]]).double()], 1))
    acts = normal(1, 1, 2, 1, seed=0)
    x = rollout(pushed, torch.zeros(1, 1, 2).double(), 2, mode="linear", controls=acts).x[0, 0]
    push = pushed.operator[0, 2:]
    torch.testing.assert_close(x[2], (acts[0, 0, :1] @ push @ settled.operator[0] + acts[0, 0, 1:] @ push)[0])
