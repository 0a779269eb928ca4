"""Do concepts mean what they are called: what measures give where the answer is known, and what chance gives."""

import math
from itertools import permutations

import pytest
import torch

from lib.concepts import agreement
from lib.concepts.bottleneck import explain, logits
from lib.concepts.posthoc import pcbm
from tests.concepts.judged import BANK, TEST, TOLD, TRAIN, drawn
from tests.samples import normal


def test_location_looks_at_each_leading_concept_s_own_map():
    draw = torch.Generator().manual_seed(0)
    maps, importance = (torch.rand(shape, generator=draw) for shape in ((30, 6, 8, 8), (30, 6)))
    where = torch.randint(8, (30, 6, 2), generator=draw)
    hits = []
    for one, weights, points in zip(maps, importance, where, strict=True):
        for j in weights.argsort(descending=True)[:3].tolist():
            row, column = points[j].tolist()
            hits.append(int((one[j] > one[j, row, column]).sum()) < int(64 * 3 / 12))
    found = agreement.concept_location(maps, importance, where, most=3, twelfths=3)
    assert found.value == sum(hits) / len(hits) and found.rows == 90


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


def test_an_explanation_of_true_concepts_exists_above_chance():
    model = pcbm(TRAIN, TEST, BANK)
    importance = explain(model, TEST.x).contributions
    found = agreement.concept_existence(importance, TOLD, most=1)
    assert found.value > 0.95 > found.chance and logits(model, TEST.x).shape == (300, 4)
