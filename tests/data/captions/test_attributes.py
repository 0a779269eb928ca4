"""Attributes come as often as stated, are tied as asked, and leave no pair unseen."""

import math

import pytest
import torch

from lib.data.captions.attributes import ATTRIBUTES, COLUMN, draw, favourite, held


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95, 1.0])
def test_the_knob_ties_the_background_to_the_shape(rho):
    truth = draw(20_000, rho=rho, seed=3)
    share = (truth[:, COLUMN["background"]] == favourite(truth[:, 0])).double().mean()
    p = rho + (1 - rho) / 4
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 20_000) + 1e-12)


def test_training_sees_every_pair_but_no_combination_held_out():
    seen, out = (draw(20_000, part=part, seed=4)[:, :3] for part in ("seen", "held"))
    triples = lambda z: set(map(tuple, z.tolist()))  # noqa: E731
    assert len(triples(seen)) == 90 and len(triples(out)) == 18 and not triples(seen) & triples(out)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        pairs = {(t[a], t[b]) for t in triples(seen)}
        assert len(pairs) == len(ATTRIBUTES[list(ATTRIBUTES)[a]]) * len(ATTRIBUTES[list(ATTRIBUTES)[b]])
    assert held(draw(5000, part="all", seed=0)).double().mean() == pytest.approx(1 / 6, abs=0.022)


def test_counts_come_as_often_as_stated_and_several_have_no_place():
    truth = draw(20_000, seed=5)
    count = truth[:, COLUMN["count"]]
    assert (count.bincount() / 20_000).tolist() == pytest.approx([0.6, 0.2, 0.2], abs=0.014)
    assert torch.equal(truth[:, COLUMN["place"]] < 0, count > 0)
