"""What scores leak and what they miss, readers and areas beside other libraries."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lib.concepts import leakage
from tests.concepts.judged import drawn
from tests.samples import normal


def impure(kind):
    """Impurity of scores of five independent concepts that are clean, weak, or tell of their neighbour."""
    truth = drawn(3000, 5, rate=0.5, seed=3)
    soft = truth.double() + 0.05 * normal(3000, 5, seed=4)
    u = {"clean": soft, "weak": truth.double() + normal(3000, 5, seed=4), "leaky": soft + 0.3 * soft.roll(1, 1),
         "noise": normal(3000, 5, seed=5)}[kind]  # fmt: skip
    return leakage.oracle_impurity(u[:1500], truth[:1500], u[1500:], truth[1500:])


def test_impurity_is_split_into_what_leaks_and_what_is_missed():
    clean, weak, leaky, noise = (impure(kind) for kind in ("clean", "weak", "leaky", "noise"))
    assert clean.score < 0.05 and clean.leakage < 0.02 and clean.weakness < 0.001
    assert min(leaky.score, noise.score, weak.score) > 0.15, "the published score does not tell them apart"
    assert leaky.leakage > 0.1 > 0.02 > max(weak.leakage, noise.leakage)
    assert noise.weakness == pytest.approx(0.5, abs=0.04) and leaky.weakness < 0.01
    assert weak.weakness == pytest.approx(1 - torch.special.ndtr(torch.tensor(1 / 2**0.5)).item(), abs=0.02)
    assert (clean.ideal.diagonal() == 1).all()


def test_an_ideal_that_is_known_is_not_read_again_and_must_be_of_the_same_concepts():
    truth, u = drawn(600, 5, rate=0.5, seed=3), normal(600, 5, seed=5)
    parts = [part for half in (slice(300), slice(300, None)) for part in (u[half], truth[half])]
    ideal = leakage.ideal_reading(truth[:300], truth[300:])
    anew, known = leakage.oracle_impurity(*parts), leakage.oracle_impurity(*parts, ideal=ideal)
    assert torch.equal(anew.ideal, ideal) and known.score == anew.score
    assert leakage.oracle_impurity(*parts, ideal=ideal - 1).leakage > anew.leakage + 0.5, "what is given is not used"
    with pytest.raises(ValueError, match="ideal must be"):
        leakage.oracle_impurity(*parts, ideal=ideal[:3, :3])


def test_a_weak_score_of_tied_concepts_does_not_leak():
    one = drawn(3000, rate=0.5, seed=0)
    truth = torch.stack([one, torch.where(drawn(3000, rate=0.1, seed=1).bool(), 1 - one, one)], 1)
    found = leakage.oracle_impurity(*[t[part] for part in (slice(1500), slice(1500, None)) for t in
                                      (truth.double() + 2 * normal(3000, 2, seed=2), truth)])  # fmt: skip
    other = ~torch.eye(2, dtype=torch.bool)
    assert found.leakage == 0 and (found.ideal - found.found)[other].min() > 0.2


def test_readers_are_logistic_regressions():
    u, target = normal(200, 2, seed=0), drawn(200, 3, rate=0.4, seed=1)
    target[:, 0] = (u[:, 0] > 0).long()  # separable: only the penalty keeps the weights finite
    x = leakage.powers(u)
    found = leakage.readers(x, target.double().T)
    for i in range(2):
        for j in range(3):
            peer = LogisticRegression(C=1.0, max_iter=5000, tol=1e-10).fit(x[i, :, 1:].numpy(), target[:, j].numpy())
            want = torch.tensor([*peer.intercept_, *peer.coef_[0]])
            torch.testing.assert_close(found[i, j], want, atol=1e-3, rtol=1e-3)


def test_areas_under_curves_are_those_of_another_library_with_ties():
    told, truth = normal(2, 90, 3, seed=0).mul(2).round(), drawn(90, 3, rate=0.4, seed=1)
    for i in range(2):
        for j in range(3):
            want = roc_auc_score(truth[:, j].numpy(), told[i, :, j].numpy())
            assert leakage.area(told, truth)[i, j].item() == pytest.approx(want)


def test_concepts_that_never_vary_are_left_out():
    truth = drawn(400, 4, rate=0.5, seed=3)
    truth[:200, 2] = 1
    u = truth.double() + 0.1 * normal(400, 4, seed=1)
    assert leakage.oracle_impurity(u[:200], truth[:200], u[200:], truth[200:]).kept == [0, 1, 3]


def test_soft_scores_that_carry_a_hidden_class_beat_their_hard_form():
    truth, y = drawn(1200, 3, rate=0.5, seed=0), drawn(1200, rate=0.5, seed=1)
    honest = truth[:, [0, 0, 1]].double()  # one concept twice, and the class in their difference
    leaky = honest + 0.3 * y[:, None] * torch.tensor([1, -1, 0]) + 0.02 * normal(1200, 3, seed=2)
    cut = torch.full((3,), 0.5)
    assert leakage.soft_over_hard(leaky[:600], y[:600], leaky[600:], y[600:], thresholds=cut) > 0.3
    told = truth[:, 0]
    assert leakage.soft_over_hard(honest[:600], told[:600], honest[600:], told[600:], thresholds=cut) == 0
