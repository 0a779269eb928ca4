"""Post-hoc bottlenecks: directions that were planted, heads that are right for two classes, edits at their optimum."""

import math

import pytest
import torch

from lib.concepts import posthoc
from lib.concepts.bottleneck import accuracy, cosines, logits
from lib.core.types import Rows, Words
from tests.concepts.samples import BANK, TRAIN, TRUTH, VALID, rows
from tests.samples import normal


def test_activation_vectors_find_the_planted_directions():
    found = posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=60)
    inner = TRAIN.x - TRAIN.x.mean(0)
    scores = posthoc.projection(found)(TRAIN.x)
    for j in range(6):
        there = TRUTH[:, j] == 1
        assert ((scores[:, j] > 0) == there).double().mean() > 0.9
    assert inner.shape[1] == found.vectors.shape[1] and (cosines(found.vectors, BANK.vectors).diagonal() > 0.6).all()
    again = posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=60)
    assert torch.equal(found.vectors, again.vectors)
    with pytest.raises(ValueError, match=r"concept 'atom 0' has \d+ images with it"):
        posthoc.activation_vectors(TRAIN.x, TRUTH, BANK.names, side=200)


def test_projections_are_distances_to_a_plane():
    bank = posthoc.Directions(["a"], torch.tensor([[3.0, 4.0]]), torch.tensor([10.0]))
    assert posthoc.projection(bank)(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(17 / 5)
    assert posthoc.projection(Words(["a"], bank.vectors))(torch.tensor([[1.0, 1.0]])).item() == pytest.approx(7 / 5)


def test_a_sparse_head_uses_the_concepts_that_make_the_classes():
    model = posthoc.pcbm(TRAIN, VALID, BANK)
    assert accuracy(model, VALID.x, VALID.y) > 0.95
    assert model.weights.argmax(1).tolist() == [0, 1, 2, 3]
    few = posthoc.pcbm(TRAIN, VALID, BANK, budget=1)
    assert 0 < posthoc.effective(few.weights) <= 1


def test_the_head_of_two_classes_keeps_its_concepts():
    two, valid = (Rows(r.x, r.y // 2) for r in (TRAIN, VALID))
    model = posthoc.pcbm(two, valid, BANK)
    assert accuracy(model, valid.x, valid.y) > 0.95
    bypass = posthoc.hybrid(model, two)
    alone = bypass._replace(weights=torch.zeros_like(bypass.weights), bias=torch.zeros_like(bypass.bias))
    gap = (logits(bypass, valid.x) - logits(alone, valid.x)).diff(dim=1)
    assert gap.abs().mean() > 0.1, "concepts must move the odds, not both logits alike"


def test_effective_concepts_are_counted_by_class():
    weights = torch.tensor([[[1.0, 0, -2], [0, 0, 9e-6]], [[1.0, 1, 1], [1, 1, 1]]])
    assert posthoc.effective(weights).tolist() == [1.0, 3.0]


def test_the_best_head_of_equals_is_the_sparsest_within_the_budget():
    fitted = posthoc.head_path(TRAIN, posthoc.projection(BANK), BANK.names, count=12)
    models = [posthoc.member(fitted, i, TRAIN.x) for i in range(12)]
    right = [accuracy(m, VALID.x, VALID.y) for m in models]
    chosen = posthoc.best(fitted, TRAIN, VALID)
    assert torch.equal(chosen.weights, models[right.index(max(right))].weights)


def test_a_residual_is_the_optimum_and_none_leaves_the_model():
    some = [0, 1, 4, 5]
    model = posthoc.pcbm(TRAIN, VALID, Words([BANK.names[j] for j in some], BANK.vectors[some]))
    both = posthoc.hybrid(model, TRAIN, ridge=0.01)
    r, b = (part.clone().requires_grad_() for part in both.residual)
    torch.nn.functional.cross_entropy(logits(model, TRAIN.x) + TRAIN.x @ r.T + b, TRAIN.y).backward()
    torch.testing.assert_close(r.grad, -0.02 * r.detach(), atol=1e-5, rtol=0)
    assert b.grad.abs().max() < 1e-5
    none = model._replace(residual=(torch.zeros_like(r.detach()), torch.zeros_like(b.detach())))
    assert torch.equal(logits(none, VALID.x), logits(model, VALID.x)) and posthoc.agreement(none, VALID.x) == 1
    assert posthoc.agreement(both, VALID.x) < 1 and accuracy(both, TRAIN.x, TRAIN.y) > accuracy(model, TRAIN.x, TRAIN.y)


def test_pruning_takes_one_weight_and_gives_the_norm_back():
    noisy = rows(spread=0.5)[0]
    model = posthoc.member(posthoc.head_path(noisy, posthoc.projection(BANK), BANK.names), -1, noisy.x)
    cut, full = posthoc.prune(model, 1, 1), posthoc.prune(model, 1, 1, normalise=True)
    assert cut.weights[1, 1] == 0 == full.weights[1, 1] and model.weights[1, 1] != 0
    others = torch.arange(4) != 1
    assert torch.equal(cut.weights[others], model.weights[others])
    torch.testing.assert_close(full.weights[1].abs().sum(), model.weights[1].abs().sum())
    assert ((full.weights[1] * cut.weights[1]) >= 0).all()


def test_pruning_a_spurious_concept_recovers_what_it_cost():
    aligned = torch.where(torch.rand(600, generator=torch.Generator().manual_seed(0)) < 0.95, TRAIN.y % 2, 1 - TRAIN.y % 2)
    x, two = TRAIN.x.clone(), Rows(TRAIN.x, TRAIN.y % 2)
    extra = torch.linalg.qr(normal(16, 16, seed=99)).Q[10]
    noise = normal(600, 16, seed=7) * 0.5

    def shifted(sign):
        z = x + noise + 2 * (2 * sign - 1).double()[:, None] * extra
        return Rows(z / z.norm(dim=1, keepdim=True), two.y)

    train, test = shifted(aligned), shifted(1 - two.y)
    bank = Words([*BANK.names, "background"], torch.cat([BANK.vectors, extra[None]]))
    model = posthoc.pcbm(train, train, bank)
    edited = posthoc.prune(posthoc.prune(model, 0, 6), 1, 6)
    bound = posthoc.fine_tuned(model, test)
    assert accuracy(model, test.x, test.y) < 0.5 < accuracy(edited, test.x, test.y) < accuracy(bound, test.x, test.y)
    share = (accuracy(edited, test.x, test.y) - accuracy(model, test.x, test.y)) / (
        accuracy(bound, test.x, test.y) - accuracy(model, test.x, test.y)
    )
    assert posthoc.gained(edited, model, bound, test) == pytest.approx(share)
    assert math.isnan(posthoc.gained(edited, model, model, test))
