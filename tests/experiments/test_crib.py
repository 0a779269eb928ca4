"""Pairs of masks and methods: each that is wanted, with its options, the costly ones first, and tables in the order given."""

import pandas as pd
import pytest

from lib.experiments import crib

MASKS = {"few": {"pattern": "point", "rate": 0.2}, "gone": {"pattern": "column", "rate": 0.3}}


def test_methods_meet_the_masks_that_they_want_the_costly_ones_first():
    found = crib.pairs(MASKS, {"plain": {"forecaster": "dlinear", "impute": "mean"}, "crib": {"masks": ["gone"], "kl": 0.0}})
    assert found == [
        crib.Pair("gone", "column", 0.3, "crib", "crib", "zero", {"kl": 0.0}),
        crib.Pair("few", "point", 0.2, "plain", "dlinear", "mean", {}),
        crib.Pair("gone", "column", 0.3, "plain", "dlinear", "mean", {}),
    ]


def test_names_that_lead_nowhere_are_refused():
    with pytest.raises(ValueError, match="unknown mask 'many'; known: few, gone"):
        crib.pairs(MASKS, {"crib": {"masks": ["many"]}})


def test_rows_stand_as_masks_and_methods_were_given_each_in_its_own_order():
    table = pd.DataFrame({"mask": list("babab"), "method": list("yxxyy"), "seed": [3, 1, 2, 5, 4]})
    found = crib.ordered(table, {"mask": ["b", "a"], "method": ["x", "y"]})
    assert found.seed.tolist() == [2, 3, 4, 1, 5] and found.index.tolist() == list(range(5))
