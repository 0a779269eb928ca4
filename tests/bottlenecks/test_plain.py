"""Without a bottleneck, labels cost cross-entropy."""

import torch

from lib.bottlenecks import BOTTLENECKS
from lib.nets.stacked import Bottleneck
from tests.bottlenecks.samples import SHAPE


def test_labels_cost_cross_entropy(rows):
    model = Bottleneck([0, 1, 2], 3, 4, SHAPE).double()
    labels = torch.randint(0, 4, (3, 20), generator=torch.Generator().manual_seed(0))
    terms = BOTTLENECKS["plain"](model, rows[0], labels, rows[2])
    each = [torch.nn.functional.cross_entropy(terms.watch["prediction"][i], labels[i]) for i in range(3)]
    torch.testing.assert_close(terms.fit, torch.stack(each))
