"""Names, weights and maps of models against planted answers: what has a true name is judged, by it alone."""

import math

import pytest
import torch

from lib.concepts import agreement, meaning, methods, posthoc
from lib.concepts.bottleneck import predict
from lib.data.embeddings import Places, planted_embeddings
from lib.experiments.concept_scenes import table as concepts

DATA = planted_embeddings(240, seed=3)
CASE = methods.case(DATA, 0)


def test_slopes_of_linear_scores_are_their_vectors():
    model = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)
    found = meaning.slopes(model, DATA.train.x)
    assert torch.allclose(torch.cosine_similarity(found, DATA.concepts.vectors), torch.ones(len(found)).double())


def test_maps_find_tokens_that_hold_the_concept_and_miss_those_that_do_not():
    model = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)
    slopes, vectors, n = meaning.slopes(model, DATA.train.x), DATA.concepts.vectors, len(DATA.test.y)
    tokens = torch.zeros(n, 4, 4, vectors.shape[1], dtype=torch.float64)
    tokens[:, 1, 2] = vectors.sum(0)
    importance = torch.rand(n, len(vectors), generator=torch.Generator().manual_seed(0))
    there = {}
    for name, point in {"there": (12, 20), "elsewhere": (28, 3)}.items():
        where = torch.tensor(point).expand(n, len(vectors), 2)
        seen = DATA._replace(places=Places(tokens, where, (32, 32)))
        there[name] = meaning.located(slopes, seen, importance)
    chance = {"location_chance_1": 85 / 1024, "location_chance_3": 0.25}  # whole pixels
    assert there["there"] == {"location_1": 1.0, "location_3": 1.0} | chance
    assert there["elsewhere"] == {"location_1": 0.0, "location_3": 0.0} | chance
    blank = meaning.located(slopes, DATA, importance)
    assert all(value != value for value in blank.values())


def test_names_are_judged_of_every_model_that_has_true_ones():
    named = {name: meaning.agrees(name, method(CASE), DATA) for name, method in concepts.METHODS.items()}
    blank = {name for name, found in named.items() if math.isnan(found["existence_1"])}
    assert blank == {"linear probe", "zero-shot"}
    for name in ("random words", "random vectors"):
        assert abs(named[name]["existence_3"] - named[name]["chance"]) < 0.2, "blind names are in the picture"
    assert named["discover, then name"]["existence_1"] > named["discover, then name"]["chance"] + 0.2
    assert named["PCBM words"]["importance_1"] > 0.3 and abs(named["PCBM words"]["importance_chance_1"]) < 0.1


def test_units_of_one_name_count_as_one_concept():
    words = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)
    halves = words._replace(
        concepts=[*words.concepts, *(f"{name} 2" for name in words.concepts), "word 1", "concept"],
        score=lambda x: torch.cat([words.score(x), words.score(x), x[:, :2]], 1),
        weights=torch.cat([words.weights / 2, words.weights / 2, torch.zeros(6, 2)], 1),
        centre=torch.cat([words.centre, words.centre, torch.zeros(2)]),
    )
    table = meaning.meant("any", halves, DATA)
    assert table[:-2].sum(1).eq(1).all() and table[-2:].sum() == 0 and table.sum(0).eq(2).all()
    whole, parts = (meaning.agrees("any", one, DATA) for one in (words, halves))
    assert parts == pytest.approx(whole, nan_ok=True) and not math.isnan(whole["existence_1"])
    assert meaning.meant("any", halves._replace(concepts=[f"x {i}" for i in range(26)]), DATA) is None


def test_a_head_that_is_presence_follows_it_by_its_scores_of_right_images():
    share = agreement.presence(DATA.test_truth, DATA.test.y, 6)
    model = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)._replace(
        score=lambda x: DATA.test_truth.double(), weights=share, bias=torch.zeros(6).double()
    )
    found = meaning.follows(model, DATA, torch.eye(12).double())
    right = predict(model, DATA.test.x) == DATA.test.y
    mean = agreement.class_mean(DATA.test_truth, DATA.test.y, right, 6)
    assert 0.3 < right.double().mean() < 1 and found["cosine_1"] == pytest.approx(1) == found["importance_1"]
    want = torch.cosine_similarity(mean, share, dim=0).mean().item()
    assert found["cosine_2"] == pytest.approx(want) and found["cosine_chance_1"] > 0.5 > abs(found["importance_chance_1"])
