"""The price of the HSIC bottleneck against centred Gram matrices, written out."""

import torch

from lib.bottlenecks import BOTTLENECKS
from lib.nets.stacked import Bottleneck
from tests.bottlenecks.samples import SHAPE


def shared(a, b, width_a, width_b):
    """tr(KHQH) over the root of both own values, member by member."""
    h = torch.eye(a.shape[1], dtype=torch.float64) - 1 / a.shape[1]
    k, q = (h @ torch.exp(-torch.cdist(z, z).square() / (2 * w**2)) @ h for z, w in ((a, width_a), (b, width_b)))
    return (k * q).sum((1, 2)) / (k.square().sum((1, 2)) * q.square().sum((1, 2))).sqrt()


def test_hsic_charges_dependence_on_the_input_less_dependence_on_the_target(model, rows):
    x, y, _ = rows
    terms = BOTTLENECKS["hsic"](model, *rows, width_x=0.7, width_y=0.9, width_t=1.3)
    code = terms.watch["code"]
    torch.testing.assert_close(terms.price, shared(x, code, 0.7, 1.3) - shared(y, code, 0.9, 1.3))
    torch.testing.assert_close(terms.fit, (terms.watch["prediction"] - y).square().mean((1, 2)))


def test_hsic_takes_labels_for_corners(rows):
    model = Bottleneck([0, 1, 2], 3, 4, SHAPE).double()
    labels = torch.randint(0, 4, (3, 20), generator=torch.Generator().manual_seed(0))
    terms = BOTTLENECKS["hsic"](model, rows[0], labels, rows[2])
    corners = torch.eye(4, dtype=torch.float64)[labels]
    code = terms.watch["code"]
    torch.testing.assert_close(
        terms.price, shared(rows[0], code, 1.0, 1.0) - shared(corners, code, 1.0, 1.0), rtol=1e-5, atol=1e-6
    )
