"""Many networks: measures against dense formulas, and what a protocol's faults change."""

import numpy as np
import pytest
import torch

from lib.core.types import Table
from lib.data import prepared
from lib.experiments.cs_ib import generalisation, protocol


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_kinds_are_crossed_and_checked():
    todo = generalisation.kinds([2, 4], [16], {"epochs": 3, "batch": [8, 16], "lr": [0.1, 0.01]})
    found = [(kind.depth, kind.width, kind.plan.batch, kind.plan.lr) for kind in todo]
    assert found == [(d, 16, b, r) for d in (2, 4) for b in (8, 16) for r in (0.1, 0.01)]
    assert all(kind.plan.select == "last" for kind in todo)
    with pytest.raises(ValueError, match="depth must be a whole number >= 1, got 0"):
        generalisation.kinds([0], [16], {"epochs": 3, "batch": 8, "lr": 0.1})


def table(n=120):
    x = normal(n, 3).float()
    return Table(x, x[:, :1] + 0.3 * normal(n, 1, seed=1).float(), list("abc"), "y")


def test_networks_give_a_row_each_and_the_same_again():
    todo = generalisation.kinds([1, 2], [4], {"epochs": 4, "batch": 16, "lr": 0.01})
    one, two = (generalisation.networks(table(), todo, seeds=[0, 1], fractions=[0.6, 0.2, 0.2], workers=1) for _ in "ab")
    assert one.equals(two) and len(one) == 4
    assert one[["depth", "seed"]].to_numpy().tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    np.testing.assert_allclose(one.gap, one.test - one.train)
    assert (one.mi_xt > 0).all() and (one.mi_xt_y > 0).all()


def test_a_protocols_faults_are_the_only_difference():
    plan = {"epochs": 6, "batch": 16, "lr": 0.02, "records": 6}
    shape = {"hidden": [8], "code": 2, "decoder": [8], "activation": "relu"}
    found = protocol.courses(table(), shape=shape, plan=plan, seeds=[0, 1], fractions=[0.6, 0.2, 0.2])
    assert len(found) == 2 * 2 * found.epoch.nunique() and found.epoch.max() == 6
    early = found[found.epoch == 1].groupby("leak").test.mean()
    assert 0 < abs(early[True] - early[False]) < 0.1
    best = protocol.selected(found)
    assert (best.flattered <= best.honest).all() and len(best) == 4
    one = found[(found.seed == 1) & found.leak].sort_values("valid").iloc[0]
    assert best[(best.seed == 1) & best.leak].honest.item() == one.test


def test_a_split_in_memory_is_the_split_on_disk_and_a_leak_moves_its_inputs_alone(tmp_path):
    prepared.write(tmp_path, table(), seeds=[0, 4], fractions=[0.6, 0.2, 0.2])
    stored = prepared.read(tmp_path, [0, 4]).split
    made, leaky = (prepared.split(table(), seeds=[0, 4], fractions=[0.6, 0.2, 0.2], leak=leak) for leak in (False, True))
    assert all(torch.equal(a, b) for one, other in zip(stored, made, strict=True) for a, b in zip(one, other, strict=True))
    assert all(torch.equal(a.y, b.y) and not torch.equal(a.x, b.x) for a, b in zip(made, leaky, strict=True))
    everything = torch.cat([part.x for part in leaky], 1)
    torch.testing.assert_close(everything.mean(1), torch.zeros(2, 3), atol=1e-6, rtol=0)
    torch.testing.assert_close(everything.std(1, correction=0), torch.ones(2, 3))
