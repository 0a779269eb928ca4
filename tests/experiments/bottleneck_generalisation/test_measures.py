"""Measures beside the gap: sums by hand, 32 of them, and coefficients within groups as another library has them."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from lib.experiments.bottleneck_generalisation import measures


def networks(n=24):
    draw = np.random.default_rng(0)
    table = pd.DataFrame({name: draw.random(n) + 0.5 for name in (*measures.CODES, *measures.WEIGHTS)})
    return table.assign(gap=table.xz_mc + draw.random(n), width=np.arange(n) % 2)


def test_combined_parts_have_one_mean_unless_they_are_raw():
    code, weights = torch.tensor([1.0, 3.0]), torch.tensor([10.0, 30.0])
    assert measures.combined(code, weights).tolist() == [2, 6]
    assert measures.combined(code, weights, scaled=False).tolist() == [11, 33]
    assert measures.bound_shape(code, weights, n=11).tolist() == pytest.approx([1, 3**0.5])


def test_every_code_is_combined_with_every_part_of_the_weights():
    table = networks()
    found = measures.with_combined(table)
    assert len(found.columns) == len(table.columns) + 32
    name = "xz_mc+all_single_jensen"
    np.testing.assert_allclose(found[f"raw_{name}"], table.xz_mc + table.all_single_jensen)
    assert found[name].mean() == pytest.approx(2 * table.xz_mc.mean())


def test_coefficients_of_groups_are_those_of_another_library():
    table = networks()
    found = measures.by_group(table, ["xz_mc", "xz_mc+all_single_jensen"], ["width"])
    found = found.set_index(["width", "measure", "coefficient"]).value
    peers = {"spearman": stats.spearmanr, "pearson": stats.pearsonr, "kendall": stats.kendalltau}
    for width, group in table.groupby("width"):
        scale = group.xz_mc.mean() / group.all_single_jensen.mean()  # of the group, not of the table
        both = {"xz_mc": group.xz_mc, "xz_mc+all_single_jensen": group.xz_mc + scale * group.all_single_jensen}
        for measure, values in both.items():
            for name, peer in peers.items():
                assert found[width, measure, name] == pytest.approx(peer(values, group.gap).statistic)


def test_intervals_hold_the_coefficient_of_all_networks():
    table = networks()
    found = measures.against_gap(table, ["xz_mc"], draws=50).set_index("coefficient")
    assert found.value["pearson"] == pytest.approx(stats.pearsonr(table.xz_mc, table.gap).statistic)
    assert (found.low < found.value).all() and (found.value < found.high).all()
