"""Objectives against their formulas and closed forms, and laws that each must keep."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lib.bottlenecks import BOTTLENECKS, chosen
from lib.estimators.cs import conditional_cs_divergence, cs_qmi_normalised
from lib.nets.stacked import Bottleneck

SHAPE = {"hidden": [8], "code": 2, "decoder": [8], "activation": "relu"}


@pytest.fixture
def model():
    return Bottleneck([0, 1, 2], 3, 1, SHAPE).double()


@pytest.fixture
def rows():
    g = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(3, 20, d, generator=g, dtype=torch.float64) for d in (3, 2))
    return x, x.sum(-1, keepdim=True), noise


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_returns_one_value_a_member_and_gradients_for_its_own_weights_only(name, model, rows):
    terms = BOTTLENECKS[name](model, *rows)
    assert terms.fit.shape == terms.price.shape == (3,)
    assert terms.watch["code"].shape == (3, 20, 2) and terms.watch["prediction"].shape == (3, 20, 1)
    (terms.fit + terms.price)[1].backward()
    used = [p.grad for p in model.parameters() if p.grad is not None]
    assert used and all(g[0].abs().max() == 0 and g[2].abs().max() == 0 for g in used)
    assert sum(g[1].abs().sum() for g in used) > 0


@pytest.mark.parametrize("name", BOTTLENECKS)
def test_forgets_the_order_of_rows(name, model, rows):
    turn = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    first, second = BOTTLENECKS[name](model, *rows), BOTTLENECKS[name](model, *(z[:, turn] for z in rows))
    torch.testing.assert_close(first[:2], second[:2])


@pytest.mark.parametrize("name", sorted(set(BOTTLENECKS) - {"plain", "hsic", "weight_decay"}))
def test_a_code_that_ignores_its_input_costs_nothing(name, model, rows):
    with torch.no_grad():
        for head in (model.mean_head, model.logvar_head):
            head.weight.zero_(), head.bias.zero_()
    price = BOTTLENECKS[name](model, *rows).price
    torch.testing.assert_close(price, torch.full_like(price, 1.0 if name == "exp_nib" else 0.0), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", sorted(set(BOTTLENECKS) - {"hsic"}))
def test_a_perfect_prediction_misses_nothing(name, model, rows):
    x, _, noise = rows
    target = BOTTLENECKS[name](model, *rows).watch["prediction"].detach()
    assert BOTTLENECKS[name](model, x, target, noise).fit.abs().max() < 1e-10


def test_vib_charges_the_divergence_from_the_standard_normal(model, rows):
    mean, logvar = model.encode(rows[0])
    exact = kl_divergence(Normal(mean, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(-1).mean(-1)
    torch.testing.assert_close(BOTTLENECKS["vib"](model, *rows).price, exact)


def test_weight_decay_charges_half_the_squares_of_all_weights_but_the_last_layers(model, rows):
    charged = [
        w for name, w in model.named_parameters() if name.endswith("weight") and not name.startswith(("output", "logvar"))
    ]
    price = BOTTLENECKS["weight_decay"](model, *rows).price
    torch.testing.assert_close(price, 0.5 * sum(w.flatten(1).norm(dim=1).square() for w in charged))
    price.sum().backward()
    assert len(charged) == 3 and all(torch.equal(w.grad, w) for w in charged)
    assert all(p.grad is None for p in model.parameters() if not any(p is w for w in charged))


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


def test_cs_ib_is_both_propositions_with_widths_apart(model, rows):
    x, y, _ = rows
    terms = BOTTLENECKS["cs_ib"](model, *rows, widths=(0.4, 0.9), price_widths=(1.1, 0.6))
    code, guess = terms.watch["code"], terms.watch["prediction"]
    torch.testing.assert_close(terms.fit, conditional_cs_divergence(x, y, guess, width_x=0.4, width_y=0.9))
    torch.testing.assert_close(terms.price, cs_qmi_normalised(x, code, width_x=1.1, width_y=0.6))


def test_the_public_form_of_cs_ib_is_a_sum_of_squares(model, rows):
    terms = BOTTLENECKS["cs_ib_sse"](model, *rows)
    plain = BOTTLENECKS["plain"](model, *rows)
    torch.testing.assert_close(terms.fit, 20 * plain.fit)


def test_labels_cost_cross_entropy(rows):
    model = Bottleneck([0, 1, 2], 3, 4, SHAPE).double()
    labels = torch.randint(0, 4, (3, 20), generator=torch.Generator().manual_seed(0))
    terms = BOTTLENECKS["plain"](model, rows[0], labels, rows[2])
    each = [torch.nn.functional.cross_entropy(terms.watch["prediction"][i], labels[i]) for i in range(3)]
    torch.testing.assert_close(terms.fit, torch.stack(each))


@pytest.mark.parametrize(
    ("label", "settings", "message"),
    [
        ("vibe", {"betas": [0.0]}, "unknown objective 'vibe'; known: cs_ib"),
        ("vib", {"betas": [0.0], "width": 1.0}, "objective vib has no option width; it takes none"),
        ("nib", {"betas": [0.0], "deviaton": 1.0}, r"has no option deviaton; it takes \['deviation'\]"),
        ("vib", {"betas": [0.1, -0.1]}, r"betas must be a list of numbers >= 0, got \[0.1, -0.1\]"),
        ("vib", {"betas": []}, "betas must be a list"),
        ("vib", {}, "betas must be a list of numbers >= 0, got None"),
        ("vib", {"betas": [float("nan")]}, "betas must be a list"),
        ("vib", {"betas": 0.1}, "betas must be a list of numbers >= 0, got 0.1"),
    ],
)
def test_refuses_what_it_cannot_mean(label, settings, message):
    with pytest.raises(ValueError, match=message):
        chosen(label, settings)


def test_a_label_may_name_its_objective():
    terms, betas = chosen("cs_ib_wide", {"objective": "cs_ib", "betas": [0, 1], "widths": [2.0, 1.0]})
    assert terms.func is BOTTLENECKS["cs_ib"] and terms.keywords == {"widths": [2.0, 1.0]} and betas == [0.0, 1.0]
