"""Laws of all forecasters: published sizes, symmetries, what training may see and find, what is refused."""

import pandas as pd
import pytest
import torch

from lib.forecast import FORECASTERS
from lib.forecast.crib import Crib
from lib.forecast.fit import fit, score
from lib.forecast.models import DLinear, shaped
from lib.forecast.windows import Frame
from tests.forecast.samples import SMALL, normal, task, waves


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
