"""Forecasters have the published sizes and symmetries, CRIB's terms are its formulas, training learns what is there."""

import math

import pandas as pd
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from lib.experiments import crib
from lib.forecast import FORECASTERS
from lib.forecast.crib import Crib, gaussian_kl, second_view
from lib.forecast.fit import batches, cut, fit, score
from lib.forecast.layers import Noise, level
from lib.forecast.masks import masked
from lib.forecast.models import DLinear, miss, shaped
from lib.forecast.windows import Frame, problem

SMALL = {"width": 8, "layers": 1, "heads": 2, "dropout": 0.0}


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def waves(times=400):
    """Three sines of a day and one of half a day, a hidden tenth, and a target that is not there for a while."""
    t = torch.arange(times, dtype=torch.float64)[:, None]
    values = torch.sin(2 * math.pi * (t / torch.tensor([24.0, 24.0, 24.0, 12.0]) + torch.tensor([0.0, 0.2, 0.5, 0.1])))
    values[50:60, 2] = torch.nan
    return values


def task(values, members=2, rate=0.1):
    masks = torch.stack([torch.rand(values.shape, generator=g) > rate for g in generators(*range(members))])
    return problem(values, masks, Frame(24, 24, 3))


# The programs behind the published table count 1 200, 41 528 and 39 768; ours has 32 biases more where patches are embedded.
@pytest.mark.parametrize(
    ("name", "options", "count"),
    [
        ("dlinear", {}, 1_200),
        ("patchtst", {}, 41_528 + 32),
        ("itransformer", {}, 39_768),
        ("crib", {"code": "unused"}, 73_370),
        ("crib", {}, 73_370 - 64 * 32),
    ],
)
def test_sizes_are_those_of_the_papers_program(name, options, count):
    model = FORECASTERS[name]([0, 1], Frame(), {}, **options)
    assert sum(p.numel() for p in model.parameters()) == 2 * count


@pytest.mark.parametrize("name", FORECASTERS)
def test_forecasts_have_their_shape_and_move_with_their_windows(name):
    model, x = FORECASTERS[name]([0, 1], Frame(24, 10), SMALL), normal(2, 5, 24, 4)
    out = model(x)
    assert out.shape == (2, 5, 10, 4) and torch.equal(out, model(x))
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(model(x[:, order]), out[:, order], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["dlinear", "patchtst", "itransformer"])
def test_variates_may_be_renamed(name):
    model, x = FORECASTERS[name]([0, 1], Frame(24, 10), SMALL), normal(2, 5, 24, 4)
    order = torch.tensor([2, 0, 3, 1])
    torch.testing.assert_close(model(x[..., order]), model(x)[..., order], atol=1e-5, rtol=1e-4)


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


def batch(members=2):
    x, y = normal(members, 6, 24, 4), normal(members, 6, 10, 4, seed=1)
    return x, y, normal(members, 6, 10, 4, seed=2) > -1


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


def test_the_mean_error_counts_known_targets_only():
    x, y, known = batch()
    want = [(x[r, :, :10] - y[r]).abs()[known[r]].mean() for r in range(2)]
    torch.testing.assert_close(miss(x[:, :, :10], y, known), torch.stack(want))
    assert (miss(x[:, :, :10], y, torch.zeros_like(known)) == 0).all()


@pytest.mark.parametrize("name", FORECASTERS)
def test_training_lowers_the_error_on_what_can_be_foretold(name):
    made = task(waves())
    model = FORECASTERS[name]([0, 1], made.frame, SMALL)
    before = score(model, made, made.parts[2])
    history = pd.DataFrame(fit(model, made, seeds=[0, 1], epochs=12, batch=16, lr=5e-3))
    after = score(model, made, made.parts[2])
    assert (after < 0.6 * before).all(), (before, after)
    assert history.columns[:3].tolist() == ["seed", "epoch", "valid"] and len(history) == 24
    kept = score(model, made, made.parts[1])[:, 0].tolist()
    assert kept == pytest.approx(history.groupby("seed").valid.min().tolist(), rel=1e-5)


def test_dlinear_by_hand():
    model, x = DLinear([0, 1], Frame(24, 10), {}), normal(2, 3, 24, 2)
    with torch.no_grad():
        for layer in (model.trend, model.rest):
            layer.weight.copy_(normal(2, 24, 10, seed=3 + (layer is model.rest)))
    past = x[1, 2, :, 0]
    near = torch.cat([past[:1].expand(12), past, past[-1:].expand(12)])
    trend = torch.stack([near[t : t + 25].mean() for t in range(24)])
    want = trend @ model.trend.weight[1] + (past - trend) @ model.rest.weight[1]
    torch.testing.assert_close(model(x)[1, 2, :, 0], want, atol=1e-5, rtol=1e-4)


def test_targets_begin_where_inputs_end():
    times = torch.arange(120.0, dtype=torch.float64)[:, None]
    made = problem(times, torch.ones(1, 120, 1, dtype=torch.bool), Frame(24, 10))
    step = float(made.y[0, 1, 0] - made.y[0, 0, 0])
    x, y, _ = cut(made, torch.tensor([[0, 31, 86]]))
    assert x.shape == (1, 3, 24, 1) and y.shape == (1, 3, 10, 1)
    torch.testing.assert_close(y[:, :, 0] - x[:, :, -1], torch.full((1, 3, 1), step), atol=1e-5, rtol=1e-4)


def test_the_weights_of_the_best_epoch_are_kept():
    made = task(waves())
    model = DLinear([0, 1], made.frame, {})
    rows = fit(model, made, seeds=[0, 1], epochs=2, batch=16, lr=0.5)
    history = pd.DataFrame(rows).pivot(index="epoch", columns="seed", values="valid")
    assert (history.iloc[-1] > 1.05 * history.min()).any(), "with so large a rate the last epoch is not the best"
    assert score(model, made, made.parts[1])[:, 0].tolist() == pytest.approx(history.min().tolist(), rel=1e-5)


def test_a_dear_code_holds_less():
    made = task(waves(), members=5)
    held = []
    for kl in (0.0, 0.01):
        model = Crib(range(5), made.frame, SMALL, kl=kl)
        history = pd.DataFrame(fit(model, made, seeds=range(5), epochs=4, batch=16, lr=5e-3))
        held.append(history[history.epoch == 4].kl.to_numpy())
    assert (held[1] < 0.5 * held[0]).all(), held


def test_dlinear_finds_a_linear_law():
    values = waves()[:, :2]
    made = task(values, members=5, rate=0.0)
    model = DLinear(range(5), made.frame, {})
    fit(model, made, seeds=range(5), epochs=120, batch=16, lr=1e-2)
    assert score(model, made, made.parts[2])[:, 0].max() < 0.03  # a sine of one period repeats after 24 steps


def test_scores_are_plain_means_over_known_targets():
    made = task(waves())
    model = DLinear([0, 1], made.frame, {})
    x, y, known = cut(made, made.parts[0].expand(2, -1))
    assert not known.all()
    off = [(model(x)[r] - y[r])[known[r]] for r in range(2)]
    want = torch.stack([torch.stack([o.abs().mean(), o.square().mean()]) for o in off])
    torch.testing.assert_close(score(model, made, made.parts[0], block=7), want, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["crib", "dlinear"])
def test_neither_test_windows_nor_unknown_targets_reach_training(name):
    made = task(waves())
    spoilt = made._replace(y=torch.where(made.known, made.y, torch.tensor(7.0)))
    spoilt.y[:, made.parts[2][0] + 48 :] = torch.nan
    rows = [
        fit(FORECASTERS[name]([0, 1], m.frame, SMALL), m, seeds=[0, 1], epochs=2, batch=16, lr=1e-3) for m in (made, spoilt)
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_member_is_the_same_in_any_company(name):
    both, one = task(waves(), members=2), task(waves(), members=2)
    one = one._replace(x=one.x[1:], y=one.y[1:])
    shape = SMALL | {"dropout": 0.2}
    models = [FORECASTERS[name](seeds, both.frame, shape) for seeds in ([0, 1], [1])]
    for model, made, seeds in zip(models, (both, one), ([0, 1], [1]), strict=True):
        fit(model, made, seeds=seeds, epochs=2, batch=16, lr=1e-3)
    scores = [score(model, made, made.parts[1])[-1] for model, made in zip(models, (both, one), strict=True)]
    torch.testing.assert_close(*scores, atol=1e-4, rtol=1e-3)


def test_every_window_comes_at_most_once_an_epoch_in_each_members_own_order():
    order = torch.stack([torch.cat(list(b)) for b in zip(*batches(torch.arange(50), generators(0, 1), 8), strict=True)])
    assert order.shape == (2, 48) and all(len(set(row.tolist())) == 48 for row in order)
    assert not torch.equal(*order)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: Crib([0], Frame(20, 10), SMALL), "look must be a multiple of patch, got 20 and 8"),
        (lambda: Crib([0], Frame(), SMALL, code="used"), "unknown code 'used'; known: sampled, unused"),
        (lambda: shaped({"wdith": 8}), "a shape has no 'wdith'; it takes width, layers, heads, patch, dropout"),
        (lambda: shaped({"layers": 0}), "layers must be a whole number >= 1, got 0"),
        (lambda: shaped({"dropout": 1.0}), "dropout must be at least 0 and below 1, got 1.0"),
        (lambda: fitted(batch=1000), "batch 1000 is larger than the 71 training windows"),
        (lambda: fitted(lr=0.0), "lr must be a positive finite number, got 0.0"),
    ],
)
def test_refuses_what_cannot_be(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def fitted(**changes):
    made = task(waves())
    return fit(DLinear([0, 1], made.frame, {}), made, **({"seeds": [0, 1], "epochs": 1, "batch": 8, "lr": 1e-3} | changes))


MASKS = {"few": {"pattern": "point", "rate": 0.2}, "gone": {"pattern": "column", "rate": 0.3}}
METHODS = {
    "crib": {},
    "no_kl": {"forecaster": "crib", "kl": 0.0, "masks": ["few"]},
    "filled": {"forecaster": "dlinear", "impute": "mean"},
}


def setting():
    budget = {"epochs": 2, "batch": 16, "lr": 1e-3}
    return crib.Setting(waves(300), [3, 1], Frame(24, 24, 5), "variate", SMALL, budget)


def test_every_method_is_scored_under_every_mask_it_asks_for():
    scores, history = crib.compare(setting(), MASKS, METHODS, workers=1)
    want = [("few", "crib"), ("few", "no_kl"), ("few", "filled"), ("gone", "crib"), ("gone", "filled")]
    assert list(zip(scores.iloc[::2]["mask"], scores.iloc[::2].method, strict=True)) == want
    assert scores.seed.tolist() == [3, 1] * 5 and len(history) == 20
    assert scores.hidden.tolist() == pytest.approx([0.2] * 6 + [0.25] * 4)
    best = history.groupby(["mask", "method", "seed"], sort=False).valid.min().tolist()
    assert scores.valid.tolist() == pytest.approx(best) and scores[["mae", "mse"]].notna().all(axis=None)
    masks = torch.stack([masked("point", 300, 4, rate=0.2, seed=seed) for seed in (3, 1)])
    made = problem(waves(300), masks, Frame(24, 24, 5), scaling="variate", impute="mean")
    model = DLinear([3, 1], made.frame, SMALL)
    fit(model, made, seeds=[3, 1], **setting().budget)
    assert scores[["mae", "mse"]][4:6].to_numpy() == pytest.approx(score(model, made, made.parts[2]).numpy())
    again, _ = crib.compare(setting(), MASKS, METHODS, workers=2)
    pd.testing.assert_frame_equal(scores, again)


@pytest.mark.parametrize(
    ("masks", "methods", "message"),
    [
        (MASKS, {"cribb": {}}, "unknown forecaster 'cribb'; known: crib, dlinear"),
        (MASKS, {"crib": {"impute": "zeros"}}, "unknown imputer 'zeros'"),
        (MASKS, {"crib": {"masks": ["many"]}}, "unknown mask 'many'; known: few, gone"),
        ({"few": {"pattern": "dots", "rate": 0.2}}, {"crib": {}}, "unknown pattern of missing values 'dots'"),
    ],
)
def test_a_comparison_refuses_names_before_it_computes(masks, methods, message):
    with pytest.raises(ValueError, match=message):
        crib.compare(setting(), masks, methods)
