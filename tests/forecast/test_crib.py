"""CRIB's terms are its formulas, its code has the moments that it is charged for."""

import pandas as pd
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lib.forecast import FORECASTERS
from lib.forecast.crib import Crib, gaussian_kl, second_view
from lib.forecast.fit import fit
from lib.forecast.layers import Noise, level
from lib.forecast.windows import Frame
from tests.forecast.samples import SMALL, batch, generators, normal, task, waves


def test_crib_numbers_its_variates_and_lets_them_attend_to_each_other():
    model, x = Crib([0, 1], Frame(24, 10), SMALL), normal(2, 5, 24, 4)
    order = torch.tensor([2, 0, 3, 1])
    assert not torch.allclose(model(x[..., order]), model(x)[..., order], atol=1e-3)
    changed = x.clone()
    changed[..., 3] = normal(2, 5, 24, seed=7)
    assert not torch.allclose(model(changed)[..., 0], model(x)[..., 0], atol=1e-4)
    alone = FORECASTERS["patchtst"]([0, 1], Frame(24, 10), SMALL)
    torch.testing.assert_close(alone(changed)[..., :3], alone(x)[..., :3])


def test_kl_is_torchs():
    mean, variance = normal(3, 4), normal(3, 4, seed=1).exp()
    want = kl_divergence(Normal(mean, variance.sqrt()), Normal(torch.zeros(()), torch.ones(())))
    torch.testing.assert_close(gaussian_kl(mean, variance), want, atol=1e-5, rtol=1e-4)


def test_the_second_view_adds_a_hundredth_of_the_batch():
    x = 3 * normal(5, 200, 24, 4) + 2
    off = second_view(x, Noise(generators(*range(5)))) - x
    assert off.mean((1, 2, 3)).tolist() == pytest.approx([0.02] * 5, abs=1e-3)  # 4 standard errors
    assert off.std((1, 2, 3)).tolist() == pytest.approx([0.03] * 5, rel=0.03)


@pytest.mark.parametrize("code", ["sampled", "unused"])
def test_cribs_terms_by_hand(code):
    model = Crib([0, 1], Frame(24, 10), SMALL, code=code, consistency=0.5, kl=1e-3)
    x, y, known = batch()
    terms = model.terms(x, y, known, Noise(generators(8, 9)))
    noise = Noise(generators(8, 9))
    view, by = second_view(x, noise), level(x)
    own, other = (model.tokens(model.revin(z, level(z)), None) for z in (x, view))
    read = model.read(own, by, noise)
    squares = [((own[r] - other[r]) ** 2).mean() for r in range(2)]
    charge = [
        sum(
            kl_divergence(Normal(m, v.sqrt()), Normal(0.0, 1.0)).sum()
            for m, v in zip(read.mean[r], read.variance[r], strict=True)
        )
        for r in range(2)
    ]
    misses = [(read.prediction[r] - y[r]).abs()[known[r]].mean() for r in range(2)]
    torch.testing.assert_close(terms.fit, torch.stack(misses), atol=1e-5, rtol=1e-4)
    want = 0.5 * torch.stack(squares) + 1e-3 * torch.stack(charge)
    torch.testing.assert_close(terms.price, want, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(terms.watch["kl"], torch.stack(charge) / 6, atol=1e-3, rtol=1e-4)


def test_without_consistency_no_second_view_is_drawn():
    model = Crib([0, 1], Frame(24, 10), SMALL, consistency=0.0, kl=0.0, code="unused")
    noise = Noise(generators(8, 9))
    terms = model.terms(*batch(), noise)
    assert (terms.price == 0).all() and (terms.watch["consistency"] == 0).all() and (terms.watch["kl"] > 0).all()


def test_the_forecast_is_made_from_the_sampled_code_or_beside_it():
    for code, depends in (("sampled", True), ("unused", False)):
        model, x = Crib([0, 1], Frame(24, 10), SMALL, code=code), normal(2, 6, 24, 4)
        before = model(x)
        with torch.no_grad():
            model.code_out.weight.add_(1.0)
        assert torch.allclose(before, model(x)) != depends
    model, by = Crib([0], Frame(24, 10), SMALL), level(x[:1])
    tokens = model.tokens(model.revin(x[:1], by), None)
    drawn = torch.stack([model.read(tokens, by, Noise(generators(s))).prediction for s in range(3)])
    assert drawn.std(0).min() > 0 and torch.equal(model.read(tokens, by, None).prediction, model(x[:1]))


def test_the_sampled_code_has_the_moments_it_is_charged_for():
    model, x = Crib([0], Frame(24, 10), SMALL), normal(1, 1, 24, 4).repeat(1, 4000, 1, 1)
    seen = {}
    model.say_in.register_forward_hook(lambda module, args, out: seen.update(code=args[0]))
    by = level(x)
    read = model.read(model.tokens(model.revin(x, by), None), by, Noise(generators(3)))
    torch.testing.assert_close(seen["code"].mean(1), read.mean[:, 0], atol=0.08, rtol=0)  # 5 standard errors
    torch.testing.assert_close(seen["code"].var(1), read.variance[:, 0], atol=0, rtol=0.12)


def test_a_dear_code_holds_less():
    made = task(waves(), members=5)
    held = []
    for kl in (0.0, 0.01):
        model = Crib(range(5), made.frame, SMALL, kl=kl)
        history = pd.DataFrame(fit(model, made, seeds=range(5), epochs=4, batch=16, lr=5e-3))
        held.append(history[history.epoch == 4].kl.to_numpy())
    assert (held[1] < 0.5 * held[0]).all(), held
