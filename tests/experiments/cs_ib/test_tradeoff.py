"""Ratios, crossings and selections on tables small enough to be done by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.experiments.cs_ib import tradeoff


def rows(method, betas, cs_qmi, price, seed=0):
    columns = {"beta": betas, "cs_qmi": cs_qmi, "hsic": cs_qmi, "price": price, "rmse": betas, "valid": betas}
    return pd.DataFrame(columns).assign(data="d", method=method, seed=seed)


def test_ratios_compare_with_the_plain_network_of_the_seed_and_with_the_method_itself():
    parts = [rows("plain", [0.0], [0.8], [0.0], seed=s) for s in (0, 1)]
    parts[1]["cs_qmi"] = 0.4
    parts += [rows("exp_nib", [1.0, 0.0], [0.2, 0.6], [math.exp(1), math.exp(4)], seed=s) for s in (0, 1)]
    found = tradeoff.compared(pd.concat(parts, ignore_index=True)).set_index(["method", "seed", "beta"])
    assert found.r_cs_qmi.loc["plain"].tolist() == [0, 0]
    assert found.r_cs_qmi.loc["exp_nib"].tolist() == pytest.approx([0.75, 0.25, 0.5, -0.5])
    assert found.own.loc["exp_nib"].tolist() == pytest.approx([1, 4, 1, 4])
    assert found.r_own.loc["exp_nib"].tolist() == pytest.approx([0.75, 0, 0.75, 0])
    assert found.own.loc["plain"].isna().all()


@pytest.mark.parametrize(("method", "price", "own"), [("nib", 3.0, 3.0), ("square_nib", 9.0, 3.0), ("hsic", 7.0, 0.5)])
def test_a_methods_own_information_is_undone_from_its_price(method, price, own):
    table = pd.concat([rows("plain", [0.0], [1.0], [0.0]), rows(method, [0.0], [0.5], [price])], ignore_index=True)
    assert tradeoff.compared(table).own.iloc[1] == pytest.approx(own)


def path(r, rmse, valid=None):
    valid = rmse if valid is None else valid
    beta = np.arange(len(r), dtype=float)
    return pd.DataFrame({"beta": beta, "r_cs_qmi": r, "rmse": rmse, "valid": valid, "own": beta})


def test_a_crossing_is_interpolated_and_nothing_is_extrapolated():
    assert tradeoff.crossing(path([0.0, 0.4, 0.6, 0.3], [1.0, 2.0, 4.0, 9.0]), "cs_qmi", 0.5) == pytest.approx(3.0)
    assert math.isnan(tradeoff.crossing(path([0.0, 0.4], [1.0, 2.0]), "cs_qmi", 0.5))
    assert tradeoff.crossing(path([0.7, 0.9], [1.0, 2.0]), "cs_qmi", 0.5) == 1.0


def test_the_member_near_a_ratio_is_chosen_by_validation_never_by_test():
    paths = path([0.0, 0.4, 0.6, 0.9], [0.1, 0.5, 0.2, 0.1], valid=[0.1, 0.3, 0.4, 0.0])
    assert tradeoff.nearest(paths, "cs_qmi", 0.5, 0.15).rmse == 0.5
    assert tradeoff.nearest(paths, "cs_qmi", 0.8, 0.05).rmse == 0.1, "none is within the distance, so the nearest one"
    assert tradeoff.nearest(path([np.nan] * 2, [1.0, 2.0]), "cs_qmi", 0.5, 0.1).isna().all()
    table = paths.assign(data="d", method="vib", seed=[0, 0, 1, 1])
    assert tradeoff.selection(table, "cs_qmi", 0.5, 0.15).loc["d", "vib"].rmse.tolist() == [0.5, 0.2]


def test_the_summary_tells_both_currencies_side_by_side():
    parts = [rows("plain", [0.0], [0.8], [0.0], seed=s) for s in (0, 1)]
    parts += [rows("nib", [0.0, 1.0, 2.0], [0.8, 0.4, 0.1], [4.0, 3.0, 2.0], seed=s) for s in (0, 1)]
    table = tradeoff.compared(pd.concat(parts, ignore_index=True))
    found = tradeoff.summary(table[table.method == "nib"], ratio=0.5, within=0.1).loc[("d", "nib")]
    assert found["RMSE, beta 0"] == "0 ± 0" and found["own, beta 0"] == "4 ± 0" and found.unit == "bound, nats"
    assert (found["RMSE, common r"], found["common r"], found["own, common r"]) == ("1 ± 0", "0.5 ± 0", "3 ± 0")
    assert (found["RMSE, own r"], found["own r"], found.within) == ("2 ± 0", "0.5 ± 0", "2, 2")
    far = tradeoff.summary(table[table.method == "nib"], ratio=0.3, within=0.01).loc[("d", "nib")]
    assert (far["RMSE, own r"], far["own r"], far.within) == ("1 ± 0", "0.25 ± 0", "0, 0")
    assert tradeoff.spread(pd.Series([1.0, np.nan])) == "–"
