"""The trial of estimators: every answer stands beside the truth, refusals beside their reason, whoever computes it."""

import math

import numpy as np
import pandas as pd
import pytest

from lib.data.tasks import TASKS
from lib.estimators.knn import mi_ksg
from lib.estimators.variational import mi_infonce
from lib.experiments import estimator_benchmark

HARD = {"easy": {"task": "normal", "mi": 0.5}, "sparse": {"d": 2}, "channel": {"classes": 3, "error": 0.1}}
ASKED = {"ksg": {}, "wide_ksg": {"estimator": "ksg", "k": 9}, "binning": {"bins": 8}}


@pytest.fixture(scope="module")
def table():
    return estimator_benchmark.judge(HARD, ASKED, sizes=[60, 200], draws=3, workers=1)


def test_every_estimator_answers_on_every_draw_of_every_case(table):
    assert len(table) == 3 * 3 * 2 * 3
    assert not table.duplicated(["task", "estimator", "n", "seed"]).any()


def test_answers_are_those_of_the_estimators(table):
    pair = TASKS["normal"](200, mi=0.5, seed=2)
    for label, k in (("ksg", 3), ("wide_ksg", 9)):  # noqa: B007 - the query reads it
        row = table.query("task == 'easy' and estimator == @label and n == 200 and seed == 2").squeeze()
        assert row.mi == mi_ksg(pair.x, pair.y, k=k).item() and row.truth == pytest.approx(0.5) and row.note == ""


def test_lists_of_options_are_crossed():
    found = estimator_benchmark.cases({"n": {"task": "normal", "mi": [1, 2], "d": 3}, "dense": {"d": [2, 4]}}, [10, 20])
    assert [case.label for case in found[:4]] == ["n mi=1", "n mi=2", "dense d=2", "dense d=4"]
    assert found[1] == ("n mi=2", "normal", {"mi": 2, "d": 3}, 10) and found[5].n == 20 and len(found) == 8


def test_critics_of_all_draws_train_together(table):
    asked = {"critic": {"estimator": "infonce", "steps": 20, "batch": 32}}
    found = estimator_benchmark.judge({"easy": {"task": "normal", "mi": 0.5}}, asked, sizes=[200], draws=2, workers=1)
    x, y, _ = TASKS["normal"](200, mi=0.5, seed=1)
    assert found.mi[1] == pytest.approx(mi_infonce(x, y, seed=1, steps=20, batch=32).item(), abs=1e-4)


def test_a_refusal_is_a_row_with_its_reason(table):
    refused = table[table.mi.isna()]
    assert set(refused.task) == {"channel"} and set(refused.estimator) == {"ksg", "wide_ksg"}
    assert refused.note.str.contains("coincide with their").all()
    assert (table[table.mi.notna()].note == "").all()


def test_it_does_not_matter_who_computes(table):
    pd.testing.assert_frame_equal(estimator_benchmark.judge(HARD, ASKED, sizes=[60, 200], draws=3, workers=2), table)


def test_errors_are_bias_spread_and_size():
    values = {"mi": [1.0, 2.0, 3.0, math.nan], "truth": [1.5] * 4, "seed": range(4)}
    found = estimator_benchmark.errors(pd.DataFrame({"task": "t", "estimator": "e", "n": 9, **values})).squeeze()
    assert (found.bias, found.silent) == (0.5, 1)
    assert found.spread == pytest.approx(np.std([1, 2, 3], ddof=1)) and found.mae == pytest.approx((0.5 + 0.5 + 1.5) / 3)


@pytest.mark.parametrize(
    ("tasks", "estimators", "draws", "message"),
    [
        ({"nomral": {}}, {"ksg": {}}, 1, "unknown task 'nomral'; known: additive_uniform, channel"),
        ({"easy": {"task": "normal", "mi": 1.0}}, {"kgs": {}}, 1, "unknown estimator 'kgs'; known: binning"),
        ({"easy": {"task": "normal", "mi": 1.0}}, {"ksg": {}}, 0, "draws must be a whole number >= 1, got 0"),
    ],
)
def test_refuses_what_it_does_not_know_before_it_computes(tasks, estimators, draws, message):
    with pytest.raises(ValueError, match=message):
        estimator_benchmark.judge(tasks, estimators, sizes=[10**9], draws=draws)


def test_a_misspelt_budget_names_those_that_are_known():
    with pytest.raises(ValueError, match=r"the budget of infonce has no 'stpes'; it takes .*steps"):
        estimator_benchmark.judge(HARD, {"infonce": {"stpes": 3}}, sizes=[20], draws=1, workers=1)
