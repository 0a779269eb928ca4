"""What a protocol's faults change: the statistics of all rows, and nothing else."""

import torch

from lib.data import prepared
from lib.experiments.cs_ib import protocol
from tests.experiments.cs_ib.samples import table


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
