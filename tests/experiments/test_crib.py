"""A comparison of forecasters scores every method under every mask it asks for: the costly ones first, in the order given."""

import pandas as pd
import pytest
import torch

from lib.experiments import crib
from lib.forecast.fit import fit, score
from lib.forecast.masks import masked
from lib.forecast.models import DLinear
from lib.forecast.windows import Frame, problem
from tests.forecast.samples import SMALL, waves

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
