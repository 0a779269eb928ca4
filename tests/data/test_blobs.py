"""Blobs are one draw in two parts, and a second draw around the same centres."""

import torch
from scipy.spatial.distance import cdist

from lib.core.types import Rows
from lib.data.blobs import blobs


def test_blobs_are_one_draw_split_and_a_second_around_the_same_centres():
    for instance in range(3):
        data = blobs(instance)
        assert [len(part.y) for part in data] == [50, 250, 500] and data.probe.y.bincount().tolist() == [100] * 5
        seen = Rows(*(torch.cat(z) for z in zip(data.train, data.test, strict=True)))
        assert seen.y.bincount().tolist() == [60] * 5
        for label in range(5):
            cloud, again = (rows.x[rows.y == label] for rows in (seen, data.probe))
            assert (cloud.mean(0) - again.mean(0)).abs().max() < 0.4  # standard error 0.11
            assert again.std(0).sub(0.7).abs().max() < 0.2
        assert (cdist(seen.x, data.probe.x).min(0) == 0).sum() == 80
    assert torch.equal(blobs(1).probe.x, blobs(1).probe.x) and not torch.equal(blobs(1).probe.x, blobs(2).probe.x)
