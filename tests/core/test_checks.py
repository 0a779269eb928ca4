"""Border checks let pass what is well, as it is, and name the value that came where it is not."""

import math
import warnings
from typing import NamedTuple

import pytest
import torch

from lib.core import checks

X, Y = torch.arange(6.0).reshape(3, 2), torch.zeros(3, 1)


class Budget(NamedTuple):
    steps: int
    lr: float = 0.1


def test_what_is_well_passes_as_it_is():
    assert checks.matrix(X, "x") is X and checks.single(X, "x") is X and checks.enough(X, "x", 3) is X
    assert checks.paired(X, Y)[0] is X and checks.comparable(X, X + 1)[0] is X
    assert checks.codes(X.long(), "c").dtype == torch.int64 and checks.labels(torch.tensor([0, 2]), 2).tolist() == [0, 2]
    assert (
        checks.positive(0.5, "w") == 0.5 and checks.counted(0, "n", least=0) == 0 and checks.known("a", {"a": 7}, "name") == 7
    )
    assert checks.filled(Budget, {"steps": 3}, "a budget") == (3, 0.1)


def test_finite_values_whose_sum_overflows_pass():
    huge = torch.full((4, 1), 3e38)
    assert huge.sum().isinf() and checks.matrix(huge, "x") is huge


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: checks.matrix([[1.0]], "z"), "z must be a torch tensor, got list; convert it"),
        (lambda: checks.matrix(X[0], "z"), r"z must have shape \(n, d\), got \(2,\); for a scalar variable pass z\[:, None\]"),
        (lambda: checks.matrix(X / 0, "z"), "z holds 6 NaN or infinite values"),
        (lambda: checks.single(X[None], "z"), r"z must be one sample \(n, d\), got \(1, 3, 2\)"),
        (lambda: checks.enough(X, "z", 4), "z has 3 rows, at least 4 are needed"),
        (lambda: checks.paired(X, Y[:2]), r"x and y must pair row by row, got \(3, 2\) and \(2, 1\)"),
        (lambda: checks.comparable(X, Y, names=("a", "b")), "a has 2 columns and b 1; both samples must live in one space"),
        (lambda: checks.codes(X, "c"), "c must hold integers, got torch.float32"),
        (lambda: checks.labels(torch.tensor([0, -1]), 2), "labels must be >= 0, got -1"),
        (lambda: checks.positive(True, "w"), "w must be a positive finite number, got True"),
        (lambda: checks.positive(math.inf, "w"), "w must be a positive finite number, got inf"),
        (lambda: checks.counted(1, "n", least=2), "n must be a whole number >= 2, got 1"),
        (lambda: checks.filled(Budget, {"steps": 1, "rate": 2}, "a budget"), "a budget has no 'rate'; it takes steps, lr"),
        (lambda: checks.filled(Budget, {"lr": 0.2}, "a budget"), "a budget lacks 'steps'; it needs steps$"),
        (lambda: checks.known("c", {"b": 0, "a": 1}, "name"), "unknown name 'c'; known: a, b"),
    ],
)
def test_each_check_names_what_came_and_what_was_wanted(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()


def test_only_values_near_the_ceiling_warn():
    with pytest.warns(checks.CeilingWarning, match="the bound is 0.950 nats and can be at most 1.000"):
        checks.ceiling(torch.tensor([0.1, 0.95], dtype=torch.float64), 1.0, "the bound")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checks.ceiling(torch.tensor(0.94), 1.0, "the bound").item() == pytest.approx(0.94)
        checks.ceiling(torch.tensor(0.0), 0.0, "the bound")
