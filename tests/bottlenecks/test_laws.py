"""Laws that every objective must keep, and how a run chooses objectives by name."""

import pytest
import torch

from lib.bottlenecks import BOTTLENECKS, chosen


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
