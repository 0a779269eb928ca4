"""The contest of concept methods: every method in one table, names judged, units of one name counted as one."""

import math

import pandas as pd
import pytest
import torch

from lib.concepts import agreement, meaning, methods, posthoc, sparse
from lib.concepts.bottleneck import accuracy, predict
from lib.core.types import Words
from lib.data.embeddings import planted_embeddings
from lib.experiments.concept_scenes import table as concepts

DATA = planted_embeddings(240, seed=3)
CASE = methods.case(DATA, 0)


def test_every_method_is_in_the_table_and_random_concepts_are_told_from_words():
    ideal = concepts.oracle(DATA)
    rows = pd.DataFrame(
        [{"method": name} | concepts.judged(name, method(CASE), DATA, 0.75, ideal) for name, method in concepts.METHODS.items()]
    ).set_index("method")
    assert (rows.accuracy > 0.4).all() and rows.accuracy.idxmin() in {"random words", "random vectors"}
    known = rows.impurity.notna()
    assert set(rows.index[~known]) == {"linear probe", "zero-shot", "random words", "random vectors", "discover, then name"}
    mixed = rows.index.isin([f"SparseCBM {kind}" for kind in ("contrastive", "gumbel", "gumbel_all")])
    # Nothing holds the layers of these at the concepts that their scores are called by.
    assert (rows.existence_1 > rows.chance + 0.3)[known & ~mixed].all() and (rows.existence_1 > rows.chance)[known].all()
    assert (rows.area > rows.wrong_area + 0.3)[known].all()
    assert (rows.faithful.drop("PCBM-h") == 1).all() and (rows.nats <= math.log(240) + 1e-9).all()


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


def test_what_methods_share_is_learnt_once_and_is_what_each_would_learn_alone():
    own = methods.case(DATA, 5)
    assert own.path("words") is own.path("words") and own.dictionary() is own.dictionary()
    bank = methods.BANKS["directions"](DATA, 5)
    alone = posthoc.pcbm(DATA.train, DATA.valid, bank, count=own.budget.path)
    assert torch.equal(methods.METHODS["PCBM directions"](own).weights, alone.weights)
    alone = sparse.sparse_cbm(DATA.train, DATA.concepts, kind="bernoulli", epochs=own.budget.sparse, seed=5)
    torch.testing.assert_close(methods.METHODS["SparseCBM bernoulli"](own).weights, alone.weights)
    whole = concepts.shots(own, {"LaBo": methods.METHODS["zero-shot"](own)})["shots"]
    given = [row["accuracy"] for row in whole if row["method"] == "LaBo" and not row["shots"]]
    assert given == [accuracy(methods.METHODS["zero-shot"](own), *DATA.test)], "a fitted model is fitted again"


def test_levels_are_of_all_methods_and_shots_of_the_rows_they_say():
    models = {name: concepts.METHODS[name](CASE) for name in ("PCBM words", "random vectors", "CMS")}
    found = pd.DataFrame(concepts.levels(CASE, models)).set_index(["method", "level"])
    assert len(found) == 3 * len(concepts.RUNGS) and (found.found <= [level for _, level in found.index]).all()
    assert found.accuracy["CMS", 30] == accuracy(models["CMS"], *DATA.test) and found.reached["PCBM words", 2]
    assert found.accuracy["PCBM words", 1] > found.accuracy["random vectors", 1] + 0.2
    part = concepts.few(DATA.train, 3, 1)
    assert part.y.bincount().tolist() == [3] * 6 and not torch.equal(part.x, concepts.few(DATA.train, 3, 2).x)
    assert (DATA.train.x[:, None] == part.x).all(2).any(0).all()
    assert len(concepts.few(DATA.train, 10**6, 0).y) == 240


def test_a_choice_takes_the_concepts_of_a_class():
    owners = methods.chosen(DATA, k=1, alpha=1.0, beta=0.0)
    assert owners == {k: [k] for k in range(6)}


def test_tables_of_seeds_come_together(monkeypatch):
    monkeypatch.setattr(concepts, "METHODS", {k: concepts.METHODS[k] for k in ("linear probe", "CMS")})
    monkeypatch.setattr(concepts, "FEW", {"CMS": concepts.METHODS["CMS"]})
    made = concepts.measure([0, 1], lambda seed: planted_embeddings(300, seed=seed), more=concepts.shots, workers=1)
    assert made["methods"].groupby("seed").size().tolist() == [2, 2]
    assert set(made["shots"].shots) == {0, 1, 2, 4, 8, 16} and set(made["levels"].level) == {1, 2, 3, 5, 10, 15, 20, 25, 30}
    assert isinstance(DATA.concepts, Words)
