"""Intervals, paired tests and the jackknife against scipy and against closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lib.stats import intervals

VALUES = np.random.default_rng(0).normal(0.3, 1.0, 20).tolist()


def test_the_interval_is_students():
    low, high = stats.t.interval(0.95, 19, loc=np.mean(VALUES), scale=stats.sem(VALUES))
    assert intervals.interval(VALUES) == pytest.approx((np.mean(VALUES), low, high))


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(1).normal(2.0, 3.0, (1000, 8))
    covered = sum(found.low < 2 < found.high for found in map(intervals.interval, draws.tolist())) / 1000
    assert covered == pytest.approx(0.95, abs=4 * (0.95 * 0.05 / 1000) ** 0.5)


def test_a_change_is_tested_in_pairs():
    after = [v + 0.5 + 0.1 * (i % 3) for i, v in enumerate(VALUES)]
    found = intervals.paired(VALUES, after)
    change = np.subtract(after, VALUES)
    assert found.mean == pytest.approx(change.mean()) and found.effect == pytest.approx(change.mean() / change.std(ddof=1))
    assert found.p_t == pytest.approx(stats.ttest_rel(after, VALUES).pvalue)
    assert found.p_wilcoxon == pytest.approx(stats.wilcoxon(after, VALUES).pvalue)


def test_pseudo_values_of_a_mean_are_the_groups_and_take_the_bias_off_a_variance():
    table = pd.DataFrame({"seed": range(20), "x": VALUES})
    assert intervals.pseudo_values(table, lambda t: t.x.mean()) == pytest.approx(VALUES)
    corrected = np.mean(intervals.pseudo_values(table, lambda t: t.x.var(ddof=0)))
    assert corrected == pytest.approx(np.var(VALUES, ddof=1))


def test_rank_correlation_is_scipys_and_nothing_for_a_constant():
    table = pd.DataFrame({"x": VALUES, "y": np.round(np.exp(VALUES[::-1]), 1), "flat": 1.0})
    assert intervals.spearman(table, "x", "y") == pytest.approx(stats.spearmanr(table.x, table.y).statistic)
    assert intervals.spearman(table, "x", "flat") == 0.0


def test_refuses_what_has_no_answer():
    with pytest.raises(ValueError, match="an interval needs at least 2 values, got 1; give one value a seed"):
        intervals.interval([1.0])
    with pytest.raises(ValueError, match="no pair differs"):
        intervals.paired(VALUES, VALUES)
