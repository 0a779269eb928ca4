"""Networks train in the precision of their scale, in workers too."""

import pytest
import torch

from lib.core import precision
from lib.core.processes import each
from lib.data import prepared
from lib.data.synthetic import twelve_bit
from lib.nets.stacked import Bottleneck

SHAPE = {"hidden": [4], "code": 2, "decoder": [4], "activation": "relu"}


@pytest.fixture
def double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def kind(_):
    return str(torch.get_default_dtype())


def kinds():
    table = twelve_bit()
    parts = prepared.parted(table.x, table.y, torch.arange(len(table.x)) % 3)[0]
    network = Bottleneck([0], 12, 2, SHAPE)
    return {z.dtype for z in (table.x, parts[0].x, *network.parameters())}


def test_the_smoke_scale_is_double_and_others_are_single():
    assert {scale: precision.floats(scale) for scale in ("smoke", "embedded", "paper")} == {
        "smoke": torch.float64,
        "embedded": torch.float32,
        "paper": torch.float32,
    }


def test_data_and_networks_have_the_default_precision(double):
    assert kinds() == {torch.float64}
    torch.set_default_dtype(torch.float32)
    assert kinds() == {torch.float32}


def test_workers_compute_in_the_precision_of_their_parent(double):
    assert list(each(kind, range(2), workers=2)) == ["torch.float64"] * 2
