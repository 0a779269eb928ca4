"""Coefficients against scipy, ties and resamples included; measures of networks against their formulas."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lib.experiments.bottleneck_generalisation import measures
from lib.stats.correlation import bootstrap, correlations, interval

SCIPY = {"spearman": stats.spearmanr, "pearson": stats.pearsonr, "kendall": stats.kendalltau}


def pair(n=40, seed=0):
    x, e = torch.randn(2, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x, 0.6 * x + 0.8 * e


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("ties", [False, True])
def test_agrees_with_scipy(name, ties):
    x, y = pair()
    x = x.round() if ties else x
    assert correlations(x, y)[name].item() == pytest.approx(SCIPY[name](x, y).statistic, abs=1e-12)


@pytest.mark.parametrize("name", SCIPY)
def test_a_weight_is_a_number_of_copies(name):
    x, y = pair(seed=1)
    x = x.round(decimals=1)
    counts = bootstrap(40, draws=5, seed=3)
    got = correlations(x, y, counts)[name]
    for value, times in zip(got, counts.long(), strict=True):
        again = SCIPY[name](x.repeat_interleave(times), y.repeat_interleave(times)).statistic
        assert value.item() == pytest.approx(again, abs=1e-12)


def test_coefficients_of_many_normal_pairs_are_known():
    x, y = pair(2000, seed=2)
    known = {"pearson": 0.6, "spearman": 6 / math.pi * math.asin(0.3), "kendall": 2 / math.pi * math.asin(0.6)}
    for name, truth in known.items():
        assert correlations(x, y)[name].item() == pytest.approx(truth, abs=0.05)  # standard error 0.015


def test_resamples_hold_every_point_once_on_average():
    counts = bootstrap(50, draws=4000, seed=0)
    assert (counts.sum(1) == 50).all() and torch.equal(counts, bootstrap(50, draws=4000, seed=0))
    assert counts.mean(0).sub(1).abs().max() < 0.08 and counts.var(0).mean().item() == pytest.approx(1 - 1 / 50, abs=0.03)


def test_intervals_cover_the_truth_as_often_as_they_say():
    hits = []
    for seed in range(200):
        ends = interval(*pair(100, seed=seed), draws=200)["pearson"]
        assert ends["low"] <= ends["value"] <= ends["high"]
        hits.append(ends["low"] <= 0.6 <= ends["high"])
    assert 0.88 <= np.mean(hits) <= 0.99  # standard error 0.015


def test_a_constant_measure_has_no_coefficient():
    x, y = pair()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for constant in (1.0, 13 * math.log2(13), 1e9 / 3):
            assert all(math.isnan(value) for value in correlations(torch.full_like(x, constant), y).values())


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.zeros(3), torch.zeros(4), "must pair row by row"),
        (torch.tensor([0.0, math.inf]), torch.zeros(2), "x holds 1 NaN or infinite"),
    ],
)
def test_refuses_what_does_not_pair(x, y, message):
    with pytest.raises(ValueError, match=message):
        correlations(x, y)


@pytest.fixture(scope="module")
def table():
    g = np.random.default_rng(0)
    names = (*measures.CODES, *measures.WEIGHTS, *measures.SIZES, "gap")
    return pd.DataFrame({name: g.random(24) for name in names}).assign(seed=np.arange(24) % 2, instance=np.arange(24) % 3)


def test_the_combined_measure_gives_both_parts_one_mean():
    code, weights = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 0.0, 20.0])
    assert measures.combined(code, weights).tolist() == pytest.approx([3.0, 2.0, 7.0])
    assert measures.combined(code, weights, scaled=False).tolist() == [11.0, 2.0, 23.0]


def test_the_bound_grows_as_the_root_of_the_information():
    code, weights = torch.tensor([3.0, 12.0]), torch.tensor([1.0, 4.0])
    assert measures.bound_shape(code, weights, n=25).tolist() == pytest.approx([0.4, 0.8])


def test_all_combinations_are_there(table):
    found = measures.with_combined(table)
    assert len(found.columns) - len(table.columns) == 4 * 4 * 2
    raw = found["raw_xz_mc+all_multi_jensen"]
    np.testing.assert_allclose(raw, table.xz_mc + table.all_multi_jensen)


def test_groups_are_scaled_and_correlated_by_themselves(table):
    name = "xz_mc+encoder_single_jensen"
    found = measures.by_group(table, [name, "norm_sum"], ["seed", "instance"])
    part = table[(table.seed == 1) & (table.instance == 2)]
    scale = part.xz_mc.mean() / part.encoder_single_jensen.mean()
    expected = stats.kendalltau(part.xz_mc + scale * part.encoder_single_jensen, part.gap).statistic
    assert len(found) == 6 * 2 * 3
    one = found[(found.seed == 1) & (found.instance == 2)].set_index(["measure", "coefficient"]).value
    assert one[name, "kendall"] == pytest.approx(expected)
    assert one["norm_sum", "pearson"] == pytest.approx(stats.pearsonr(part.norm_sum, part.gap).statistic)


def test_against_the_gap_is_a_row_for_each_coefficient(table):
    found = measures.against_gap(table, ["xz_mc", "norm_sum"], draws=50)
    assert list(found.measure) == ["xz_mc"] * 3 + ["norm_sum"] * 3 and set(found.coefficient) == set(SCIPY)
    row = found[(found.measure == "norm_sum") & (found.coefficient == "spearman")].squeeze()
    assert row.value == pytest.approx(stats.spearmanr(table.norm_sum, table.gap).statistic) and row.low < row.value < row.high
