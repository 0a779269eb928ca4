"""Misses against torch's own, member by member."""

import torch
import torch.nn.functional as F

from lib.training.misses import as_matrix, miss
from tests.samples import normal

LABELS = torch.tensor([[0, 2, 1, 2], [1, 1, 0, 2]])


def test_numbers_miss_by_their_mean_square_and_labels_by_their_cross_entropy():
    prediction, y = normal(2, 4, 3, seed=0), normal(2, 4, 3, seed=1)
    torch.testing.assert_close(
        miss(prediction, y), torch.stack([F.mse_loss(*pair) for pair in zip(prediction, y, strict=True)])
    )
    each = [F.cross_entropy(*pair) for pair in zip(prediction, LABELS, strict=True)]
    torch.testing.assert_close(miss(prediction, LABELS), torch.stack(each))


def test_labels_become_corners_and_numbers_stay():
    y = normal(2, 4, 1, seed=0)
    assert as_matrix(y, 3) is y
    assert torch.equal(as_matrix(LABELS, 3), torch.eye(3)[LABELS])
