"""Measures of concepts: what they give where the answer is known, and what chance gives."""

import math
from itertools import permutations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lib.concepts import agreement, capacity, leakage
from lib.concepts.bottleneck import accuracy, explain, intervene, logits, model_of
from lib.concepts.posthoc import effective, head_path, pcbm, projection
from lib.core.types import Rows, Words
from tests.samples import normal, planted

X, Y, TRUTH, ATOMS = planted(500, seed=0)
BANK = Words([f"atom {j}" for j in range(6)], ATOMS)
TRAIN = Rows(X, Y)
TEST = Rows(*planted(300, seed=20)[:2])
TOLD = planted(300, seed=20)[2]


def drawn(*shape, rate=0.3, seed=0):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).long()


# Agreement.


def test_presence_and_class_means_are_means_over_classes():
    y = torch.tensor([0, 0, 1, 1])
    truth = torch.tensor([[1, 0], [0, 0], [1, 1], [1, 1]])
    assert agreement.presence(truth, y, 2).tolist() == [[0.5, 0], [1, 1]]
    right = torch.tensor([True, False, True, True])
    assert agreement.class_mean(torch.tensor([[2.0], [9], [4], [6]]), y, right, 2).tolist() == [[2], [5]]


def test_global_importance_is_three_cosines_and_nan_for_what_no_class_has():
    theta, mean, share = normal(5, 3, seed=0), normal(5, 3, seed=1), normal(5, 3, seed=2).abs()
    share[:, 2] = 0
    found = agreement.concept_global_importance(theta, mean, share)
    for row, part in zip(found, (theta, mean, theta * mean), strict=True):
        want = torch.nn.functional.cosine_similarity(part[:, :2], share[:, :2], dim=0)
        torch.testing.assert_close(row[:2], want)
        assert math.isnan(row[2])
    assert agreement.concept_global_importance(share, share, share)[0, 0].item() == pytest.approx(1)


def test_a_positive_head_has_a_large_cosine_by_chance_and_no_correlation():
    theta, share = normal(10, 2000, seed=0).abs(), normal(10, 2000, seed=1).abs()
    plain = agreement.concept_global_importance(theta, theta, share)[0].mean()
    centred = agreement.concept_global_importance(theta, theta, share, centred=True)[0].mean()
    assert plain > 0.6 and abs(centred) < 0.03


@pytest.mark.parametrize("centred", [False, True])
def test_shuffled_names_are_the_mean_over_all_permutations(centred):
    theta, mean, share = normal(5, 4, seed=3), normal(5, 4, seed=4), normal(5, 4, seed=5).abs()
    found = agreement.shuffled_importance(theta, mean, share, centred=centred)
    each = [agreement.concept_global_importance(theta, mean, share[:, order], centred=centred).mean(1)
            for order in permutations(range(4))]  # fmt: skip
    torch.testing.assert_close(found, torch.stack(each).mean(0))


def test_existence_counts_the_leading_concepts_and_leaves_empty_images_out():
    truth = torch.tensor([[1, 0, 1], [0, 0, 0], [0, 1, 0]])
    importance = torch.tensor([[0.9, 0.5, 0.1], [1, 2, 3], [0.3, 0.2, 0.1]])
    one = agreement.concept_existence(importance, truth, most=1)
    assert (one.value, one.chance, one.rows) == (0.5, 0.5, 2)
    assert agreement.concept_existence(importance, truth, most=2).value == pytest.approx(0.5)
    assert agreement.concept_existence(truth.double(), truth, most=1).corrected == 1


def test_explanations_that_know_nothing_are_at_chance():
    truth = drawn(3000, 8, seed=1)
    found = agreement.concept_existence(normal(3000, 8, seed=2), truth, most=3)
    assert found.corrected == pytest.approx(0, abs=0.03)


def test_the_mean_of_a_map_is_the_score_over_d():
    tokens, vectors = normal(4, 12, 5, seed=0), normal(3, 5, seed=1)
    maps = agreement.activation_maps(tokens, vectors, grid=(3, 4), size=(3, 4))
    torch.testing.assert_close(maps.mean((2, 3)), tokens.mean(1) @ vectors.T / 5)
    assert maps[1, 2, 2, 1].item() == pytest.approx((tokens[1, 9] @ vectors[2] / 5).item())
    assert agreement.activation_maps(tokens, vectors, grid=(3, 4), size=(6, 8)).shape == (4, 3, 6, 8)


def test_a_region_has_exactly_its_pixels_even_where_all_tie():
    assert agreement.region(torch.zeros(2, 6, 6), 1 / 12).sum((1, 2)).tolist() == [3, 3]
    maps = normal(6, 6, seed=0)
    assert maps[agreement.region(maps, 0.25)].min() > maps[~agreement.region(maps, 0.25)].max()
    with pytest.raises(ValueError, match="take between one pixel and all"):
        agreement.region(maps, 0.01)


def test_a_pixel_is_in_a_region_where_the_mask_says_so_ties_included():
    maps = normal(40, 7, 9, seed=0).mul(2).round()  # many ties
    places = torch.stack([torch.randint(side, (40,), generator=torch.Generator().manual_seed(side)) for side in (7, 9)], 1)
    mask = agreement.region(maps, 0.25)
    found = agreement.in_region(maps, places, 0.25)
    assert found.tolist() == mask[torch.arange(40), places[:, 0], places[:, 1]].tolist() and 0 < found.sum() < 40
    with pytest.raises(ValueError, match="take between one pixel and all"):
        agreement.in_region(maps, places, 0.001)


def test_maps_of_each_image_s_own_vectors_are_those_of_all():
    tokens, vectors, own = normal(4, 12, 5, seed=0), normal(6, 5, seed=1), torch.tensor([[0, 3], [5, 1], [2, 2], [4, 0]])
    every = agreement.activation_maps(tokens, vectors, grid=(3, 4), size=(6, 8))
    some = agreement.activation_maps(tokens, vectors[own], grid=(3, 4), size=(6, 8))
    torch.testing.assert_close(some, every[torch.arange(4)[:, None], own])


def test_centres_lie_in_their_mask():
    masks = torch.zeros(3, 5, 7, dtype=torch.bool)
    masks[0, 1:4, 2:5] = True
    masks[1, 0, :3] = masks[1, 4, :3] = True  # the middle is outside
    assert agreement.centres(masks)[0].tolist() == [2, 3] and agreement.centres(masks)[2].tolist() == [-1, -1]
    row, column = agreement.centres(masks)[1].tolist()
    assert masks[1, row, column] and column == 1


def test_location_is_certain_for_masks_and_chance_for_noise():
    where = torch.stack([torch.randint(12, (400, 3), generator=torch.Generator().manual_seed(s)) for s in (0, 1)], -1)
    where[0, 0] = -1
    importance, noise = normal(400, 3, seed=2), normal(400, 3, 12, 12, seed=3)
    blind = agreement.concept_location(noise, importance, where, most=2, twelfths=3)
    assert blind.value == pytest.approx(0.25, abs=0.05) and blind.chance == pytest.approx(0.25)
    exact = torch.zeros(400, 3, 12, 12)
    i, j = torch.meshgrid(torch.arange(400), torch.arange(3), indexing="ij")
    exact[i, j, where[..., 0].clamp_min(0), where[..., 1].clamp_min(0)] = 1
    importance[0, 0] = 9
    skipped = agreement.concept_location(exact, importance, where, most=1, twelfths=1)
    missed = agreement.concept_location(exact, importance, where, most=1, twelfths=1, absent="miss")
    assert (skipped.value, skipped.rows) == (1, 399) and missed.value == pytest.approx(399 / 400) and missed.rows == 400


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: agreement.concept_existence(normal(3, 2, seed=0), torch.zeros(3, 2), most=1), "no image has a concept"),
        (lambda: agreement.concept_existence(normal(3, 2, seed=0), torch.ones(3, 2), most=3), "ask for fewer"),
        (lambda: agreement.presence(torch.full((3, 2), 2), torch.zeros(3).long(), 1), "of 0 and 1"),
        (lambda: agreement.activation_maps(normal(1, 5, 2, seed=0), normal(1, 2, seed=0), grid=(2, 2), size=(2, 2)), "tokens"),
        (lambda: leakage.oracle_impurity(*[torch.ones(9, 2)] * 4), "0 concepts vary in both splits"),
    ],
)
def test_measures_refuse(call, says):
    with pytest.raises(ValueError, match=says):
        call()


# Leakage.


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


# Capacity.


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


def simple(weights, x, **given):
    bias = torch.zeros(len(weights), dtype=torch.float64)
    return model_of(lambda z: z.double(), weights, bias, x, concepts=[str(j) for j in range(x.shape[1])], **given)


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


def test_an_explanation_of_true_concepts_exists_above_chance():
    model = pcbm(TRAIN, TEST, BANK)
    importance = explain(model, TEST.x).contributions
    found = agreement.concept_existence(importance, TOLD, most=1)
    assert found.value > 0.95 > found.chance and logits(model, TEST.x).shape == (300, 4)
