"""Masks hide what they say, windows and statistics never look ahead, and parts of networks are those of the papers."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from lib.data import series
from lib.forecast.impute import IMPUTERS, imputed
from lib.forecast.layers import AttentionLayer, CausalBlock, CausalConv, LayerNorm, Noise, RevIN, dropped, level, sinusoids
from lib.forecast.masks import MASKS, floor, masked
from lib.forecast.windows import Frame, parts, problem, scales, windows


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def normal(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.7])
@pytest.mark.parametrize("seed", range(5))
def test_points_and_columns_hide_exactly_their_share(rate, seed):
    hidden = ~masked("point", 501, 7, rate=rate, seed=seed)
    assert hidden.sum() == floor(rate, 501 * 7) and 0 < hidden[:, 0].sum() < 501
    columns = ~masked("column", 501, 7, rate=rate, seed=seed)
    assert columns.sum() == 501 * max(1, math.floor(rate * 7)) and (columns.all(0) == columns.any(0)).all()


def covered(times, variates, rate):
    """The expected share of cells under blocks: 1 - (1 - p)^blocks, p the chance that one block covers the cell."""
    counts = [
        np.minimum.reduce([np.arange(n) + 1, n - np.arange(n), np.full(n, 5), np.full(n, n - 4)]) / (n - 4)
        for n in (times, variates)
    ]
    return (1 - (1 - np.outer(*counts)) ** floor(rate / 25, times * variates)).mean()


@pytest.mark.parametrize("rate", [0.2, 0.4, 0.6, 0.7])
@pytest.mark.parametrize("variates", [6, 7, 60])
def test_blocks_overlap_to_their_expected_share(rate, variates):
    shares = [(~masked("block", 2000, variates, rate=rate, seed=seed)).double().mean() for seed in range(40)]
    assert np.mean(shares) == pytest.approx(
        covered(2000, variates, rate), abs=0.007
    )  # 4 standard errors of the widest, measured
    assert np.mean(shares) < rate
    if variates == 60:
        assert np.mean(shares) == pytest.approx(1 - math.exp(-rate), abs=0.02)


def test_a_block_is_five_by_five():
    hidden = ~masked("block", 30, 9, rate=25 / 270, seed=3)
    assert hidden.sum() == 25 and hidden.any(0).sum() == hidden.any(1).sum() == 5


def test_blocks_may_lie_anywhere():
    drawn = torch.stack([~masked("block", 8, 9, rate=25 / 72, seed=seed) for seed in range(200)])
    assert len({tuple(mask.nonzero()[0].tolist()) for mask in drawn}) == 4 * 5 and drawn.any(0).all()


def test_floor_is_not_lost_to_rounding_and_seeds_decide():
    assert floor(0.29, 100) == 29 and floor(0.7, 10) == 7
    for pattern in MASKS:
        one, same, other = (masked(pattern, 200, 40, rate=0.3, seed=s) for s in (1, 1, 2))
        assert torch.equal(one, same) and not torch.equal(one, other)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (("points", 9, 9, 0.2), "unknown pattern of missing values 'points'; known: block, column, point"),
        (("point", 9, 9, 1.0), "rate must lie between 0 and 1, got 1.0"),
        (("block", 9, 4, 0.5), "blocks need at least 5 times and variates, got 9 and 4"),
        (("point", 0, 4, 0.5), "times must be a whole number >= 1, got 0"),
    ],
)
def test_masks_refuse_what_cannot_be(ask, message):
    *where, rate = ask
    with pytest.raises(ValueError, match=message):
        masked(*where, rate=rate, seed=0)


def test_parts_of_etth1_have_the_published_sizes():
    train, valid, test = parts(17420, Frame(24, 24))
    assert [len(part) for part in (train, valid, test)] == [10424, 3475, 3474]
    assert torch.equal(torch.cat([train, valid, test]), torch.arange(17373))
    assert [len(part) for part in parts(17420, Frame(24, 24, 7))] == [1490, 497, 497]
    with pytest.raises(ValueError, match="50 times hold 3 windows of 24 \\+ 24, too few for three parts"):
        parts(50, Frame())
    with pytest.raises(ValueError, match="stride must be a whole number >= 1, got 0"):
        parts(100, Frame(stride=0))


def test_windows_are_the_slices_that_begin_at_their_starts():
    x = normal(2, 50, 3)
    starts = torch.tensor([[0, 7, 40], [3, 3, 41]])
    cut = windows(x, starts, 9)
    assert cut.shape == (2, 3, 9, 3)
    for r in range(2):
        for b in range(3):
            assert torch.equal(cut[r, b], x[r, starts[r, b] : starts[r, b] + 9])


def gappy(times=300, variates=4, seed=0):
    values = normal(times, variates, seed=seed, dtype=torch.float64).cumsum(0) * 0.3
    return torch.where(normal(times, variates, seed=seed + 1) > 1.5, torch.nan, values + 5)


@pytest.mark.parametrize("scaling", ["scalar", "variate"])
@pytest.mark.parametrize("impute", IMPUTERS)
def test_what_comes_after_training_does_not_reach_its_inputs(scaling, impute):
    values = gappy()
    masks = torch.stack([masked("point", 300, 4, rate=0.4, seed=s) for s in range(2)])
    task = problem(values, masks, Frame(), scaling=scaling, impute=impute)
    rows = int(task.parts[0][-1]) + 24
    changed = values.clone()
    changed[rows:] = 50 * normal(300 - rows, 4, seed=9)
    again = problem(changed, masks, Frame(), scaling=scaling, impute=impute)
    assert torch.equal(task.x[:, :rows], again.x[:, :rows]) and torch.equal(task.y[:, :rows], again.y[:, :rows])
    assert not torch.equal(task.y[:, rows:], again.y[:, rows:])


def test_a_problem_hides_inputs_and_keeps_targets():
    values = gappy()
    masks = masked("point", 300, 4, rate=0.4, seed=0)[None]
    task, there = problem(values, masks, Frame()), ~values.isnan()
    seen = masks[0] & there
    mean, spread = scales(values[:175], seen[:175], "scalar")  # 253 windows, 152 of them for training
    assert torch.equal(task.known, there)
    torch.testing.assert_close(task.y[0][there], ((values - mean) / spread)[there].float())
    torch.testing.assert_close(task.x[0][seen], task.y[0][seen])
    assert (task.x[0][~seen] == 0).all() and (task.y[0][~there] == 0).all()


def test_scales_by_hand():
    values = torch.tensor([[1.0, 10.0], [3.0, math.nan], [5.0, 30.0]], dtype=torch.float64)
    seen = torch.tensor([[True, True], [False, False], [True, False]])
    mean, spread = scales(values, seen, "scalar")  # 1, 10, 0, 0, 5, 0
    assert mean == pytest.approx(16 / 6) and spread == pytest.approx(math.sqrt(126 / 6 - (16 / 6) ** 2))
    mean, spread = scales(values, seen, "variate")
    assert mean.tolist() == [3, 20] and spread.tolist() == pytest.approx([math.sqrt(8 / 3), 10])


def test_problems_refuse_what_cannot_be():
    values, masks = gappy(), torch.ones(1, 300, 4, dtype=torch.bool)
    with pytest.raises(ValueError, match="column 2 is constant or empty in the training rows; leave it out"):
        problem(torch.where(torch.arange(4) == 2, 1.0, values), masks, Frame(), scaling="variate")
    with pytest.raises(ValueError, match="unknown scaling 'both'; known: scalar, variate"):
        problem(values, masks, Frame(), scaling="both")
    with pytest.raises(ValueError, match=r"masks must have shape \(R, 300, 4\), got \(1, 299, 4\)"):
        problem(values, masks[:, 1:], Frame())
    with pytest.raises(ValueError, match="unknown imputer 'none'; known: iterative, mean, nearest, zero"):
        problem(values, masks, Frame(), impute="none")


def test_imputers_use_what_training_rows_tell():
    past = normal(200, 1, dtype=torch.float64)
    values = torch.cat([past, 2 * past + 1], 1)
    gone = values.clone()
    gone[::3, 1] = torch.nan
    torch.testing.assert_close(imputed(gone, 150, "iterative"), values, atol=1e-2, rtol=0)
    assert imputed(gone, 150, "mean")[0, 1] == pytest.approx(float(gone[:150, 1].nanmean()))
    near = (imputed(gone, 150, "nearest") - values)[::3, 1].abs()
    assert near.median() < 0.2 < near.max()  # beyond the largest training row there is none nearer
    for how in IMPUTERS:
        empty = imputed(torch.where(torch.arange(2) == 1, torch.nan, values), 150, how)
        assert (empty[:, 1] == 0).all() and torch.equal(empty[:, 0], values[:, 0])


def test_revin_comes_back_and_counts_filled_zeros():
    x = 3 * normal(2, 5, 24, 4) + 7
    by, revin = level(x), RevIN(2)
    inner = revin(x, by)
    torch.testing.assert_close(inner.mean(2), torch.zeros(2, 5, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(inner.var(2, correction=0), torch.ones(2, 5, 4), atol=1e-4, rtol=0)
    with torch.no_grad():
        revin.weight.copy_(torch.tensor([0.5, 3.0]).view(2, 1, 1, 1)), revin.bias.fill_(-2.0)
    torch.testing.assert_close(revin.restore(revin(x, by), by), x)
    half = torch.cat([x[:, :, :12], torch.zeros(2, 5, 12, 4)], 2)
    torch.testing.assert_close(level(half).mean, half.sum(2, keepdim=True) / 24)


@pytest.mark.parametrize("dilation", [1, 2])
def test_the_causal_convolution_is_torchs_and_reads_nothing_later(dilation):
    conv, x = CausalConv(3, 5, dilation, generators(0, 1)), normal(2, 4, 7, 3)
    with torch.no_grad():
        conv.gain.mul_(torch.tensor([0.5, 2.0]).view(2, 1, 1)), conv.bias.copy_(normal(2, 1, 5, seed=4))
        out = conv(x)
    for r in range(2):
        direction = conv.direction[r].detach().view(3, 3, 5).permute(2, 1, 0)  # (out, in, taps)
        weight = conv.gain[r].detach().view(5, 1, 1) * direction / direction.flatten(1).norm(dim=1).view(5, 1, 1)
        padded = nn.functional.pad(x[r].transpose(1, 2), (2 * dilation, 0))
        want = nn.functional.conv1d(padded, weight, conv.bias[r, 0].detach(), dilation=dilation).transpose(1, 2)
        torch.testing.assert_close(out[r], want, atol=1e-5, rtol=1e-4)
    block = CausalBlock(3, 5, dilation, 0.0, generators(0, 1))
    later = torch.cat([x[:, :, :4], normal(2, 4, 3, 3, seed=8)], 2)
    assert torch.equal(block(x, None)[:, :, :4], block(later, None)[:, :, :4])


def test_attention_is_torchs_encoder_layer():
    ours, theirs = AttentionLayer(8, 2, 0.0, generators(5, 6)), nn.TransformerEncoderLayer(8, 2, 32, 0.0, batch_first=True)
    x = normal(2, 3, 11, 8)
    with torch.no_grad():
        for name in ("query", "key", "value", "out", "up", "down"):
            getattr(ours, name).bias.copy_(normal(*getattr(ours, name).bias.shape, seed=len(name)))
        projections = (ours.query, ours.key, ours.value)
        theirs.self_attn.in_proj_weight.copy_(torch.cat([layer.weight[1].T for layer in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([layer.bias[1, 0] for layer in projections]))
        pairs = ((theirs.self_attn.out_proj, ours.out), (theirs.linear1, ours.up), (theirs.linear2, ours.down))
        for module, layer in pairs:
            module.weight.copy_(layer.weight[1].T), module.bias.copy_(layer.bias[1, 0])
        out = ours(x, None)
        assert out.shape == x.shape
        torch.testing.assert_close(out[1], theirs.train()(x[1]), atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="width must be a multiple of heads, got 8 and 3"):
        AttentionLayer(8, 3, 0.0, generators(0))


def test_keys_and_values_have_their_own_projections():
    layer, x = AttentionLayer(8, 2, 0.0, generators(5)), normal(1, 3, 11, 8)
    layer.attend(x).square().sum().backward()
    grads = [getattr(layer, name).weight.grad.abs().sum() for name in ("query", "key", "value")]
    assert all(g > 0 for g in grads) and len({float(g) for g in grads}) == 3


def test_layer_norm_is_torchs_for_every_member():
    norm, x = LayerNorm(6, 2), normal(2, 3, 4, 6)
    with torch.no_grad():
        norm.weight.copy_(normal(2, 1, 6, seed=1)), norm.bias.copy_(normal(2, 1, 6, seed=2))
        want = nn.functional.layer_norm(x[1], (6,), norm.weight[1, 0], norm.bias[1, 0])
        torch.testing.assert_close(norm(x)[1], want)


def test_dropout_keeps_the_mean_and_rests_without_noise():
    x = torch.ones(2, 400, 50)
    assert dropped(x, 0.3, None) is x and dropped(x, 0.0, Noise(generators(0, 1))) is x
    out = dropped(x, 0.3, Noise(generators(0, 1)))
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert (out == 0).double().mean((1, 2)).tolist() == pytest.approx([0.3, 0.3], abs=0.02)
    assert torch.equal(out[1], dropped(x[:1], 0.3, Noise(generators(1)))[0])


def test_sinusoids_by_hand():
    codes = sinusoids(5, 4)
    want = [math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]
    assert codes.shape == (5, 4) and codes[3].tolist() == pytest.approx(want, abs=1e-6)


def test_weather_is_hourly_with_its_own_gaps(tmp_path):
    hours = pd.date_range("2013-01-01", periods=4, freq="h", tz="UTC").delete(2)
    rows = [{"origin": o, "time_hour": str(t), "temp": 1.0 + t.hour, "pressure": 1000.0} for o in ("JFK", "LGA") for t in hours]
    (tmp_path / "weather").mkdir()
    pd.DataFrame(rows[:-1]).to_parquet(tmp_path / "weather/table.parquet")
    table = series.SERIES["weather"](Path(tmp_path))
    assert list(table) == ["JFK temp", "LGA temp", "JFK pressure", "LGA pressure"] and len(table) == 4
    assert table["JFK temp"].tolist()[:2] == [1, 2] and table.iloc[2].isna().all() and table["LGA temp"].isna().sum() == 2
