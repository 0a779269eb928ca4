"""What paper scale costs is worked out from what was measured: every change has its power, and chains take what they take."""

import re

import pytest

from lib.workbook import runs
from pipelines import costs
from pipelines.reporting import papers
from tests import ROOT

GROWS = {
    "sum of epochs": 1,
    "d": 1,
    "size": 2,
    "stride": -1,
    "rows": 1,
    "kde_upper_adaptive.rows": 2,
    "batch": 0,
    "draws": 1,
    "widths": 1,
}
WAITS = {
    "study@s": {"information_plane@a", "information_plane@b", "run@t"},
    "study@one": {"run@t"},
    "information_plane@a": {"train@a", "prepare@d"},
    "information_plane@b": {"train@b", "prepare@d"},
    "train@a": {"prepare@d"},
    "train@b": {"prepare@d"},
    "run@t": {"run@u"},
    "run@u": set(),
    "prepare@d": set(),
}
HOURS = {
    "prepare@d": 1.0,
    "train@a": 2.0,
    "train@b": 7.0,
    "information_plane@a": 4.0,
    "information_plane@b": 0.5,
    "run@u": 3.0,
}


@pytest.mark.parametrize(
    ("name", "old", "new", "factor"),
    [
        ("plan.epochs", 100, 8000, 80.0),
        ("budget.epochs", [30, 50], [30, 130], 2.0),
        ("tasks.normal.d", [1], [1, 2, 3], 3.0),
        ("budget.size", 16, 32, 4.0),
        ("frame.stride", 7, 1, 7.0),
        ("estimators.kde_upper_adaptive.rows", 512, 1024, 4.0),
        ("flights.rows", 600, 1200, 2.0),
        ("plans.batch", 64, [32, 64, 128], 3.0),
        ("budget.batch", 64, 128, 1.0),
        ("widths", [1], [2, 2], 2.0),
    ],
)
def test_a_stage_grows_with_each_change_by_its_power(name, old, new, factor):
    assert costs.grown(name, old, new, GROWS) == pytest.approx(factor)


def test_parts_beside_each_other_do_not_multiply():
    changes = [("draws", 5, 10), ("sets.a.plan.epochs", 10, 30), ("sets.b.plan.epochs", 10, 70)]
    assert costs.factor(changes, GROWS) == pytest.approx(2 * 7) and costs.factor([], {}) == 1.0
    assert costs.factor([("frame.stride", 6, 3), ("budget.epochs", 1, 5)], GROWS) == pytest.approx(10)


def test_a_change_of_unknown_price_is_refused():
    with pytest.raises(ValueError, match=re.escape("plan.depth changes between embedded and paper; say in `grows` beside it")):
        costs.grown("plan.depth", 1, 2, GROWS)


def test_a_chain_takes_what_it_takes():
    assert costs.longest("study@s", WAITS, HOURS) == 1 + 7 + 0.5
    assert costs.longest("study@s", WAITS, HOURS | {"run@t": 8.0}) == 3 + 8
    planes = {f"{kind}@{name}" for kind in ("train", "information_plane") for name in "ab"}
    assert costs.needed("study@s", WAITS) == {"study@s", "prepare@d", *planes, "run@t", "run@u"}
    assert costs.needed("study@one", WAITS) == {"study@one", "run@t", "run@u"}


def test_every_change_of_paper_scale_has_its_price(tmp_path):
    found = {cost.stage: cost for cost in costs.costs(ROOT, {"train-tanh": 20.0, "train-diabetes": 10.0})}
    old, new = (runs.parameters(ROOT, name) for name in ("embedded", "paper"))
    epochs = [p["networks"]["tanh"]["train"]["plan"]["epochs"] * len(p["seeds"]) for p in (old, new)]
    assert found["train@tanh"] == costs.Cost("train@tanh", 20.0, pytest.approx(epochs[1] / epochs[0]))
    assert found["train@relu"].seconds is None and all(cost.factor >= 1 for cost in found.values())
    text = costs.page(ROOT, list(found.values()), "this")
    hours = (20 * found["train@tanh"].factor + 10 * found["train@diabetes"].factor) / 3600
    assert f"All of them take {hours:.1f} hours" in text and "{" not in text
    assert f"| train@tanh | 20.0 | {found['train@tanh'].factor:.3g} |" in text and "train@relu; " in text


def test_the_page_that_is_kept_names_every_study_that_makes_claims():
    text = (ROOT / "reports/scale.md").read_text()
    named = {name for name, study in runs.parameters(ROOT)["studies"].items() if papers.sources(study["paper"], ROOT)}
    assert len(named) > 10 and [name for name in named if f"| {name} |" not in text] == []
