"""Statements of the theory are met, and would be missed by other numbers."""

from itertools import pairwise

import pandas as pd
import pytest
import torch

from lib.experiments.information_koopman import theory


def test_every_statement_is_met_and_would_be_missed():
    found = theory.residuals(7)
    assert max(map(abs, found.values())) < 1e-9
    gains = torch.tensor([5.0, 1.0]).double()
    assert theory.slack(gains, torch.tensor([0.5, 0.5]).double()) > 0.1
    assert theory.slope_spread(gains, torch.tensor([0.5, 0.5]).double(), 0.1) > 0.1
    assert theory.slack(gains, theory.water_filling(gains, budget=0.9)) == pytest.approx(0.1)


def test_entropy_moves_variance_to_weak_modes():
    rows = pd.DataFrame(theory.shares(torch.tensor([100.0, 1.0, 0.01]), 1.0, [0.1, 1.0]))
    first = rows.groupby("allocation", sort=False)[["nats", "dimension"]].first()
    assert first.dimension.tolist() == pytest.approx([1.032, 1.587, 2.779], abs=1e-3)
    assert all(a > b for a, b in pairwise(first.nats))


def test_averaging_shrinks_a_rotation():
    found = theory.bias(0)
    assert found["averaged_error"] == pytest.approx(0.76, abs=0.02) and found["averaged_radius"] < 0.6
    assert found["pooled_error"] < 1e-3 and found["pooled_radius"] == pytest.approx(0.9999, abs=2e-4)
