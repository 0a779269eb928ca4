"""Models against what they are made of: contributions, interventions, standard scores, words."""

import pytest
import torch

from lib.concepts.bottleneck import bypass, explain, intervene, logits, model_of, predict, standardised, words
from lib.core.types import Words
from tests.concepts.judged import simple
from tests.samples import normal


def test_to_set_one_value_clears_those_that_it_excludes():
    x, rivals = torch.tensor([[9.0, 9, 9, 9]] * 3, dtype=torch.float64), torch.tensor([0, 0, 1, 0])
    model = simple(torch.eye(4, dtype=torch.float64), x)._replace(
        absent=torch.zeros(4).double(), present=torch.ones(4).double()
    )
    truth = torch.tensor([[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    first = torch.tensor([True, False, False, False])
    assert intervene(model, x, truth, first).tolist() == [[1, 9, 9, 9], [0, 9, 9, 9], [0, 9, 9, 9]]
    cleared = [[1, 0, 9, 0], [0, 9, 9, 9], [0, 9, 9, 9]]  # to say that one is not there says nothing of the others
    assert intervene(model, x, truth, first, rivals=rivals).tolist() == cleared
    every = torch.ones(4, dtype=torch.bool)
    assert torch.equal(intervene(model, x, truth, every, rivals=rivals), intervene(model, x, truth, every))
    with pytest.raises(ValueError, match="3 concepts that exclude each other are true of one image"):
        intervene(model, x, 1 - truth, first, rivals=rivals)
    with pytest.raises(ValueError, match=r"rivals must be \(4,\) int64, got torch.int64 \(3,\)"):
        intervene(model, x, truth, first, rivals=rivals[:3])


def small(residual=None):
    """A model of three concepts, two classes, and its embeddings."""
    x = normal(50, 3, seed=0)
    weights, bias = normal(2, 3, seed=1), normal(2, seed=2)
    return model_of(lambda z: z.double(), weights, bias, x, concepts=["a", "b", "c"], residual=residual), x


def test_contributions_and_rest_are_the_logit():
    for residual in (None, (normal(2, 3, seed=3), normal(2, seed=4))):
        model, x = small(residual)
        why = explain(model, x)
        torch.testing.assert_close(why.contributions.sum(1) + why.rest, logits(model, x).amax(1))
        assert torch.equal(why.label, predict(model, x))
        other = explain(model, x, label=1 - why.label)
        torch.testing.assert_close(other.contributions.sum(1) + other.rest, logits(model, x).amin(1))
        centred = explain(model, model.centre[None])
        torch.testing.assert_close(centred.contributions, torch.zeros(1, 3).double())


def test_an_intervention_sets_what_is_chosen_and_leaves_the_rest():
    model, x = small((normal(2, 3, seed=3), normal(2, seed=4)))
    truth = (normal(50, 3, seed=5) > 0).long()
    none = torch.zeros(3, dtype=torch.bool)
    torch.testing.assert_close(intervene(model, x, truth, none), logits(model, x))
    told = x.clone()
    told[:, 1] = torch.where(truth[:, 1].bool(), x[:, 1].quantile(0.95), x[:, 1].quantile(0.05))
    got = intervene(model, x, truth, torch.tensor([False, True, False]))
    torch.testing.assert_close(got, told @ model.weights.T + model.bias + bypass(model, x))
    each = torch.zeros(50, 3, dtype=torch.bool)
    each[7] = True
    assert (intervene(model, x, truth, each) != logits(model, x)).any(1).nonzero().flatten().tolist() == [7]


def test_interventions_refuse():
    model, x = small()
    with pytest.raises(ValueError, match="truth must have shape"):
        intervene(model, x, torch.full((50, 3), 2), torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="chosen must be bool"):
        intervene(model, x, torch.ones(50, 3), torch.ones(3))


def test_standardised_scores_and_one_that_never_varies():
    x = torch.cat([normal(40, 2, seed=0) * 3 + 1, torch.full((40, 1), 0.1, dtype=torch.float64)], 1)
    u = standardised(lambda z: z, x)(x)
    torch.testing.assert_close(u[:, :2].mean(0), torch.zeros(2).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(u[:, :2].std(0, correction=0), torch.ones(2).double())
    assert u[:, 2].abs().max() < 1e-6


@pytest.mark.parametrize(
    ("names", "vectors", "says"),
    [
        (["a", " "], torch.eye(2), "blank names at"),
        (["a", "a"], torch.eye(2), "more than once"),
        (["a", "b"], torch.tensor([[1.0, 0], [0, 0]]), "zero vectors"),
        (["a"], torch.eye(2), "1 names and 2 vectors"),
        (["a", "b"], torch.eye(2) * torch.inf, "NaN or infinite"),
        (["a", "b"], torch.ones(2, 3), "3 columns and embeddings 2"),
    ],
)
def test_words_refuse(names, vectors, says):
    with pytest.raises(ValueError, match=says):
        words(Words(names, vectors), "concepts", width=2)
