"""Five clouds of points in the plane: the task on which bottlenecks and generalisation are compared in the small."""

from typing import NamedTuple

import torch
from sklearn.datasets import make_blobs

from lib.core import checks
from lib.core.precision import usual
from lib.core.types import Rows

CLASSES = 5


class Blobs(NamedTuple):
    """One instance of the task."""

    train: Rows  # 50 points
    test: Rows  # 250 points of the same draw
    probe: Rows  # 500 points of a second draw, on which information is measured


def blobs(instance: int, *, train: int = 50, test: int = 250, probe: int = 500) -> Blobs:
    """Return five normal clouds of deviation 0.7, centres uniform in [-10, 10]^2 and fixed by the instance.

    x: (n, 2), not standardised; y: (n,) int64. The probe starts from the same generator state, as published, so it
    shares the centres of the other parts, and 80 of its 500 points. Source: [kawaguchi2023how], toy experiment.
    """
    for count, name in ((train, "train"), (test, "test"), (probe, "probe")):
        checks.counted(count, name)
    first, second = (drawn(n, instance) for n in (train + test, probe))
    return Blobs(Rows(*(z[:train] for z in first)), Rows(*(z[train:] for z in first)), second)


def drawn(n: int, instance: int) -> Rows:
    """Return n points of one instance."""
    x, y = make_blobs(n, centers=CLASSES, cluster_std=0.7, random_state=instance)
    return Rows(usual(torch.from_numpy(x)), torch.from_numpy(y).long())
