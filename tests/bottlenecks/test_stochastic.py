"""Stacked stochastic classifiers against torch's own layers, and their terms against the definitions."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lib.bottlenecks.stochastic import Layout, StochasticNets, initial, target_information_terms
from lib.estimators.channel import log_densities, mi_channel

LAYOUT = Layout((2, 8, 8, 4, 4, 5))


def rows(*seeds):
    return torch.stack([initial(LAYOUT, torch.Generator().manual_seed(seed)) for seed in seeds]).double()


def chain(layers):
    """The same maps as torch's own modules."""
    modules = []
    for weight, bias in layers:
        linear = nn.Linear(*weight.shape).double()
        linear.weight.data, linear.bias.data = weight.T.contiguous(), bias[0]
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


@pytest.fixture
def data():
    g = torch.Generator().manual_seed(9)
    x, noise = (torch.randn(3, 20, d, generator=g, dtype=torch.float64) for d in (2, 4))
    return x, torch.randint(0, 5, (3, 20), generator=g), noise


def test_a_row_is_laid_out_as_two_chains_and_a_classifier():
    encoder = 2 * 8 + 8 + 8 * 8 + 8 + 8 * 4 + 4 + 4 * 4 + 4
    assert LAYOUT.encoder == 2 * encoder and LAYOUT.weights == 2 * encoder + 4 * 5 + 5
    net = StochasticNets(torch.arange(LAYOUT.weights * 2.0).reshape(2, -1), LAYOUT)
    assert net.chains()[1][0][0][0, 0, 0] == encoder and net.chains()[2][-1][1][1, 0, -1] == 2 * LAYOUT.weights - 1


def test_first_weights_are_those_of_torch_linear():
    layout = Layout((2, 300, 300, 150, 150, 5))
    first = StochasticNets(initial(layout, torch.Generator().manual_seed(0))[None], layout)
    for layers in first.chains():
        for weight, bias in layers:
            bound = 1 / math.sqrt(weight.shape[1])
            assert weight.abs().max() <= bound and bias.abs().max() <= bound
            assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
    again = initial(layout, torch.Generator().manual_seed(0))
    assert torch.equal(first.rows[0], again) and not torch.equal(again, initial(layout, torch.Generator().manual_seed(1)))


def test_agrees_with_torch_modules(data):
    x, _, noise = data
    model = StochasticNets(rows(0, 1, 2), LAYOUT)
    mean, deviation = model.encode(x)
    logits = model.decode(mean + deviation * noise)
    for r in range(3):
        centre, width, last = (chain([(w[r], b[r]) for w, b in layers]) for layers in model.chains())
        torch.testing.assert_close(mean[r], centre(x[r]))
        torch.testing.assert_close(deviation[r], F.softplus(width(x[r])))
        torch.testing.assert_close(logits[r], last(centre(x[r]) + F.softplus(width(x[r])) * noise[r]))


def test_deviations_have_a_floor(data):
    model = StochasticNets(rows(0, 1, 2), LAYOUT)
    model.chains()[1][-1][1].fill_(-1e6)
    assert (model.encode(data[0])[1] == 1e-10).all()


def test_terms_are_cross_entropy_and_the_distance_to_the_target(data):
    x, y, noise = data
    model = StochasticNets(rows(0, 1, 2), LAYOUT)
    terms = target_information_terms(model, x, y, noise, target=0.7)
    watch = terms.watch
    torch.testing.assert_close(watch["code"], watch["mean"] + watch["deviation"] * noise)
    for r in range(3):
        torch.testing.assert_close(terms.fit[r], F.cross_entropy(model.decode(watch["code"])[r], y[r]))
    information = mi_channel(log_densities(watch["code"], watch["mean"], watch["deviation"]))
    torch.testing.assert_close(terms.price, 0.7 - information)


def test_a_member_has_gradients_for_its_own_weights_only(data):
    weights = rows(0, 1, 2).requires_grad_()
    terms = target_information_terms(StochasticNets(weights, LAYOUT), *data)
    (terms.fit + terms.price)[1].backward()
    assert weights.grad[0].abs().max() == weights.grad[2].abs().max() == 0 and weights.grad[1].abs().max() > 0


def test_norms_are_those_of_every_weight_and_bias():
    model = StochasticNets(rows(0, 1), LAYOUT)
    tensors = [z for layers in model.chains() for pair in layers for z in pair]
    torch.testing.assert_close(model.norms()[1], torch.stack([z[1].norm() for z in tensors]))
