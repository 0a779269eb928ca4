"""Imputers use what training rows tell, and give zeros where these tell nothing."""

import pytest
import torch

from lib.forecast.impute import IMPUTERS, imputed
from tests.forecast.samples import normal


def test_imputers_use_what_training_rows_tell():
    past = normal(200, 1, dtype=torch.float64)
    values = torch.cat([past, 2 * past + 1], 1)
    gone = values.clone()
    gone[::3, 1] = torch.nan
    torch.testing.assert_close(imputed(gone, 150, "iterative"), values, atol=1e-2, rtol=0)
    assert imputed(gone, 150, "mean")[0, 1] == pytest.approx(float(gone[:150, 1].nanmean()))
    near = (imputed(gone, 150, "nearest") - values)[::3, 1].abs()
    assert near.median() < 0.2 < near.max()  # beyond the largest training row there is none nearer
    for how in IMPUTERS:
        empty = imputed(torch.where(torch.arange(2) == 1, torch.nan, values), 150, how)
        assert (empty[:, 1] == 0).all() and torch.equal(empty[:, 0], values[:, 0])
