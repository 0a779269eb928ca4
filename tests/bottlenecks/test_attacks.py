"""Attacks against linear predictors, whose worst input in a box is known, and against their own constraints."""

import pytest
import torch

from lib.bottlenecks import attacks
from lib.nets.stacked import Bottleneck


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def linear():
    """Three members, each its own linear map, with rows and targets that they miss."""
    w = normal(3, 4, 1)
    return w, (lambda x: x @ w), normal(3, 20, 4, seed=1), normal(3, 20, 1, seed=2)


@pytest.mark.parametrize("eps", [0.05, 0.3, 1.0])
def test_fgsm_finds_the_worst_input_of_a_linear_map(linear, eps):
    w, predict, x, y = linear
    residual = (predict(x) - y).abs()
    worst = residual + eps * w.abs().sum(1, keepdim=True)  # |r| + eps |w|_1: no point of the box is worse
    torch.testing.assert_close((predict(attacks.fgsm(predict, x, y, eps=eps)) - y).abs(), worst)


@pytest.mark.parametrize(("steps", "reached"), [(1, 0.05), (5, 0.25), (6, 0.3), (9, 0.3)])
def test_pgd_walks_step_by_step_and_stops_at_the_box(linear, steps, reached):
    w, predict, x, y = linear
    moved = attacks.pgd(predict, x, y, eps=0.3, step=0.05, steps=steps)
    torch.testing.assert_close(moved, x + reached * (w.mT * (predict(x) - y).sign()).sign())


def test_pgd_follows_a_gradient_that_turns_and_fgsm_does_not():
    """The square of x misses 0.04 most at 0, where its gradient turns: from 0.1 by steps of 0.04 to +-0.02, and to and fro."""
    x, y = torch.tensor([[[0.1]]], dtype=torch.float64), torch.tensor([[[0.04]]], dtype=torch.float64)
    path = [attacks.pgd(torch.square, x, y, eps=0.4, step=0.04, steps=n).item() for n in range(1, 6)]
    assert path == pytest.approx([0.06, 0.02, -0.02, 0.02, -0.02])
    assert attacks.fgsm(torch.square, x, y, eps=0.4).item() == pytest.approx(-0.3)


@pytest.fixture
def network():
    shape = {"hidden": [8], "code": 3, "decoder": [8], "activation": "relu"}
    return Bottleneck([0, 1, 2], 4, 1, shape).double(), normal(3, 20, 4, seed=1), normal(3, 20, 1, seed=2)


def test_members_and_rows_are_attacked_together_as_alone(network):
    model, x, y = network
    together = attacks.pgd(attacks.settled(model), x, y, eps=0.3, step=0.05, steps=5)
    one = Bottleneck([1], 4, 1, {"hidden": [8], "code": 3, "decoder": [8], "activation": "relu"}).double()
    one.load_state_dict({name: w[1:2] for name, w in model.state_dict().items()})
    alone = attacks.pgd(attacks.settled(one), x[1:2, 5:6], y[1:2, 5:6], eps=0.3, step=0.05, steps=5)
    torch.testing.assert_close(together[1:2, 5:6], alone)


def test_weights_gather_no_gradient_and_inputs_are_left_alone(network):
    model, x, y = network
    before = x.clone()
    attacks.fgsm(attacks.settled(model), x, y, eps=0.1)
    assert all(p.grad is None for p in model.parameters())
    assert torch.equal(x, before) and not x.requires_grad


def test_the_curve_is_fgsm_size_by_size_and_begins_at_the_clean_error(network):
    model, x, y = network
    predict = attacks.settled(model)
    clean, small, large = attacks.curve(predict, x, y, sizes=[0.0, 0.1, 0.6])
    torch.testing.assert_close(clean, (predict(x) - y).square().mean((1, 2)).detach())
    for found, eps in ((small, 0.1), (large, 0.6)):
        torch.testing.assert_close(found, attacks.error(predict, attacks.fgsm(predict, x, y, eps=eps), y))
    assert (clean < small).all() and (small < large).all()


def test_attacks_work_where_gradients_are_switched_off(linear):
    _, predict, x, y = linear
    outside = attacks.fgsm(predict, x, y, eps=0.1)
    with torch.no_grad():
        torch.testing.assert_close(attacks.fgsm(predict, x, y, eps=0.1), outside)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eps": 0.0, "step": 0.1, "steps": 5}, "eps must be a positive finite number, got 0.0"),
        ({"eps": 0.3, "step": -0.1, "steps": 5}, "step must be a positive finite number, got -0.1"),
        ({"eps": 0.3, "step": 0.1, "steps": 0}, "steps must be a whole number >= 1, got 0"),
    ],
)
def test_refuses_sizes_that_cannot_be(linear, options, message):
    _, predict, x, y = linear
    with pytest.raises(ValueError, match=message):
        attacks.pgd(predict, x, y, **options)


def test_refuses_targets_without_a_column(linear):
    _, predict, x, y = linear
    with pytest.raises(ValueError, match="x and y must pair row by row"):
        attacks.fgsm(predict, x, y[..., 0], eps=0.1)
