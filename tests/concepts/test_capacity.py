"""How much few concepts carry: heads cut to levels, nats of codes, curves of interventions from the model to the truth."""

import math

import pytest
import torch

from lib.concepts import capacity
from lib.concepts.bottleneck import accuracy, intervene
from lib.concepts.posthoc import effective, head_path, pcbm, projection
from lib.core.types import Rows
from tests.concepts.judged import BANK, TEST, TOLD, TRAIN, simple
from tests.samples import normal, planted


def test_truncation_keeps_the_largest_weights():
    weights = torch.tensor([[3.0, -1, 0.5], [0.1, 2, -4]])
    assert capacity.truncated(weights, 1).tolist() == [[3, 0, 0], [0, 0, -4]]
    assert torch.equal(capacity.truncated(weights, 3), weights)


def test_accuracy_at_a_level_is_of_the_first_head_as_dense():
    noisy = Rows(*planted(500, seed=0, spread=0.5)[:2])
    fitted = head_path(noisy, projection(BANK), BANK.names, count=20)
    found = capacity.at_effective(fitted, noisy, TEST, levels=[1, 2, 99])
    counts = effective(fitted.path.weights)
    first = int((counts >= 2).nonzero()[0])
    cut = capacity.truncated(fitted.path.weights[first], 2)
    want = ((TEST.x @ BANK.vectors.T @ cut.T + fitted.path.bias[first]).argmax(1) == TEST.y).double().mean()
    assert found[1].accuracy == pytest.approx(want.item()) and found[1].found == 2 and found[1].reached
    assert not found[2].reached and found[2].found == counts[-1]


def test_a_head_without_a_path_is_cut_to_its_levels():
    model = pcbm(TRAIN, TEST, BANK)._replace(weights=normal(4, 6, seed=9))
    dense = effective(model.weights).item()
    few, all_of = capacity.cut(model, TEST, levels=[1, 100])
    assert few.found == 1 and few.reached and all_of.found == dense and not all_of.reached
    assert all_of.accuracy == accuracy(model, *TEST) != few.accuracy
    with pytest.raises(ValueError, match="level must be a whole number"):
        capacity.cut(model, TEST, levels=[0])


def test_contributing_concepts_are_the_fewest_that_hold_the_share():
    model = simple(torch.tensor([[6.0, 3, 1], [-6, -3, -1]]).double(), torch.zeros(2, 3))
    x = torch.tensor([[1.0, 1, 1], [1, 0, 0]])
    assert capacity.contributing(model, x, share=0.85) == 1.5
    assert capacity.contributing(model, x, share=0.95) == 2
    assert capacity.contributing(model, torch.zeros(1, 3)) == 0
    with pytest.raises(ValueError, match="share must lie"):
        capacity.contributing(model, x, share=1.0)


def test_completeness_is_one_for_the_whole_and_zero_for_the_commonest_class():
    y = torch.tensor([0, 0, 0, 1])
    assert capacity.completeness(0.9, 0.9, y) == 1 and capacity.completeness(0.75, 0.9, y) == 0
    assert math.isnan(capacity.completeness(0.9, 0.75, y))


def test_the_nats_of_a_code_are_those_of_independent_and_of_equal_bits():
    bits = torch.tensor([[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0)] * 50)
    free = capacity.code_nats(simple(torch.ones(2, 2).double(), bits), bits)
    assert free == pytest.approx((math.log(4), math.log(4)))
    same = bits[:, [0, 0]]
    assert capacity.code_nats(simple(torch.ones(2, 2).double(), same), same) == pytest.approx((math.log(2), math.log(4)))
    unused = simple(torch.tensor([[1.0, 0], [0, 0]]).double(), bits)
    assert capacity.code_nats(unused, bits) == pytest.approx((math.log(2), math.log(2)))
    assert capacity.code_nats(simple(torch.zeros(2, 2).double(), bits), bits) == (0, 0)


@pytest.mark.parametrize("policy", capacity.POLICIES)
def test_a_curve_begins_at_the_model_and_ends_at_all_truth(policy):
    model = pcbm(TRAIN, TEST, BANK)
    curve = capacity.intervention_curve(model, TEST, TOLD, policy=policy)
    assert curve.accuracy[0].item() == pytest.approx(accuracy(model, TEST.x, TEST.y))
    every = torch.ones(6, dtype=torch.bool)
    assert curve.accuracy[-1] == (intervene(model, TEST.x, TOLD, every).argmax(1) == TEST.y).double().mean() == 1
    wrong = capacity.intervention_curve(model, TEST, 1 - TOLD, policy=policy)
    assert wrong.accuracy[-1] < 0.2 and wrong.area < curve.area
    assert curve.area == pytest.approx(((curve.accuracy[1:] + curve.accuracy[:-1]) / 2).mean().item())


def test_a_curve_that_clears_rivals_is_at_its_end_before():
    y = torch.randint(6, (300,), generator=torch.Generator().manual_seed(0))
    truth = torch.nn.functional.one_hot(y, 6)
    x = truth.double() + 0.7 * normal(300, 6, seed=1)
    model = simple(torch.eye(6, dtype=torch.float64), x)
    plain, cleared = (
        capacity.intervention_curve(model, Rows(x, y), truth, policy="random", rivals=rivals).accuracy
        for rivals in (None, torch.zeros(6, dtype=torch.int64))
    )
    assert (
        (cleared >= plain).all() and cleared[3] > plain[3] + 0.03 and cleared[0] == plain[0] and cleared[-1] == plain[-1] == 1
    )


def test_policies_order_as_they_say():
    x = torch.tensor([[0.5, 0.05, 0.9]], dtype=torch.float64)
    model = simple(torch.tensor([[1.0, 9, 1], [0, 0, 0]]).double(), x)
    model = model._replace(absent=torch.zeros(3).double(), present=torch.ones(3).double())
    truth = torch.tensor([[1, 0, 0]])
    assert capacity.by_effect(model, x, truth, None).tolist() == [[2, 0, 1]]
    assert capacity.by_doubt(model, x, truth, None).tolist() == [[0, 2, 1]]
    draw = torch.Generator().manual_seed(0)
    orders = capacity.at_random(model, x.expand(3000, 3), truth, draw)
    assert (orders[:, 0] == 1).double().mean().item() == pytest.approx(1 / 3, abs=0.04)
