"""Tasks by name carry the information that tables and closed forms give, and every one can be drawn again."""

import math

import pytest
import torch

from lib.data.synthetic import KEEPS_MI
from lib.data.tasks import BASE, TASKS
from lib.estimators.gaussian import mi_gaussian

OPTIONS = {
    "normal": {"mi": 0.4133},
    "dense": {"d": 2},
    "sparse": {"d": 5},
    "student": {"d": 2, "freedom": 3},
    "gamma": {"mi": 1.0, "d": 2},
    "swiss_roll": {"mi": 0.4133},
    "additive_uniform": {"width": 0.1},
    "discrete_mixture": {"m": 5},
    "channel": {"classes": 4, "error": 0.2},
}


def options(name):
    return OPTIONS.get(name) or OPTIONS[name.split("_", 1)[0]] | ({"d": 2} if name.endswith("spiral") else {})


@pytest.mark.parametrize(
    ("name", "given", "mi"),
    [
        ("normal", {"mi": 2.5, "d": 3}, 2.5),
        ("dense", {"d": 5}, 0.5928),
        ("sparse", {"d": 25}, 1.0217),
        ("sparse_spiral", {"d": 5}, 1.0217),
        ("student", {"d": 3, "freedom": 2}, 0.2909),
        ("gamma", {"mi": 0.05}, 0.05),
        ("gamma", {"mi": 10.0, "d": 3}, 10.0),
        ("channel", {"classes": 2, "error": 0.5}, 0.0),
    ],
)
def test_information_is_that_of_the_tables(name, given, mi):
    assert TASKS[name](4, **given, seed=0).truth["mi"] == pytest.approx(mi, abs=6e-5)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_drawn_again_from_their_seed(name):
    first, again, other = (TASKS[name](50, **options(name), seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.x, again.x) and torch.equal(first.y, again.y) and not torch.equal(first.x, other.x)
    assert first.x.shape[0] == first.y.shape[0] == 50 and first.x.ndim == first.y.ndim == 2
    assert first.x.isfinite().all() and first.y.isfinite().all() and math.isfinite(first.truth["mi"])


@pytest.mark.parametrize("name", BASE)
@pytest.mark.parametrize("move", KEEPS_MI)
def test_moved_tasks_move_both_sides_and_keep_the_truth(name, move):
    given = options(f"{name}_{move}")
    plain, moved = TASKS[name](30, **given, seed=0), TASKS[f"{name}_{move}"](30, **given, seed=0)
    assert moved.truth == plain.truth
    torch.testing.assert_close(moved.x, KEEPS_MI[move](plain.x))
    torch.testing.assert_close(moved.y, KEEPS_MI[move](plain.y))


@pytest.mark.parametrize(("name", "d"), [("normal", 3), ("dense", 3), ("sparse", 3)])
def test_normal_tasks_have_their_information(name, d):
    given = {"mi": 1.5, "d": d} if name == "normal" else {"d": d}
    draws = [TASKS[name](5000, **given, seed=seed) for seed in range(5)]
    mean = sum(mi_gaussian(p.x, p.y).item() for p in draws) / 5
    assert mean == pytest.approx(draws[0].truth["mi"], abs=0.02)


def test_refuses_more_pairs_than_columns():
    with pytest.raises(ValueError, match="pairs is 3, but there are only 2 columns a side; give 1 to 2"):
        TASKS["sparse"](5, d=2, pairs=3, seed=0)
