"""Residuals below a bound have no digits, and what rounding alone parts are ties."""

import math

import pytest
import torch

from lib.core.digits import at_most, settled


@pytest.mark.parametrize(
    ("value", "said"),
    [(3e-13, "below 1e-10"), (-3e-13, "below 1e-10"), (1e-10, "1.00e-10"), (-0.5, "-5.00e-01"), (math.nan, "nan")],
)
def test_a_residual_below_its_bound_is_only_said_to_be(value, said):
    assert at_most(value, 1e-10) == said


def test_the_form_is_the_callers():
    assert at_most(0.123456, 1e-3, form=".3f") == "0.123"


def test_values_that_rounding_parts_are_ties():
    x = torch.tensor([0.1 + 0.2, 0.3, 0.3 + 1e-8], dtype=torch.float64)
    assert x[0] > x[1]
    assert settled(x)[0] == settled(x)[1] < settled(x)[2]
