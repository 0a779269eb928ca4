"""Scenes as a task of concept models: labels and places against what is painted, maps and edits against planted answers."""

from functools import partial

import pandas as pd
import pytest
import torch

from lib.concepts import agreement, clip, meaning, methods, posthoc, small
from lib.concepts import scenes as task
from lib.concepts.bottleneck import accuracy, standardised
from lib.data.captions.attributes import ATTRIBUTES, draw, favourite
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions
from lib.data.embeddings import Places, planted_embeddings
from lib.experiments.concept_scenes import edits, examples
from lib.experiments.concept_scenes import table as concepts

SIZES = {"n": 200, "valid": 40, "test": 60}
DATA = planted_embeddings(240, seed=3)
LITTLE = methods.Budget(path=6, bottle=20, sparse=4, passes=20, net=1, alone=40)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    texts = [text for row in captions(draw(200, seed=0), seed=0).texts for text in row]
    words = small.Words(small.vocabulary([*texts, *task.EMPTY]))
    clip.save(folder, small.untrained(words.size, seed=0), words)
    return partial(task.embedded, folder=folder, **SIZES)


def test_concepts_of_a_scene_are_its_attributes():
    found = scenes(300, part="all", seed=1)
    truth = task.concepts(found.truth)
    assert truth.shape == (300, len(task.CONCEPTS)) and truth.sum(1).tolist() == [7 if p >= 0 else 6 for p in found.truth[:, 4]]
    names = [name for name, there in zip(task.CONCEPTS, truth[0].tolist(), strict=True) if there]
    said = [values[k] for values, k in zip(ATTRIBUTES.values(), found.truth[0].tolist(), strict=True) if k >= 0]
    assert names == said
    y = task.labels(found.truth)
    for k, (shape, colour) in zip(y.tolist(), found.truth[:, :2].tolist(), strict=True):
        warm = ATTRIBUTES["colour"][colour] in {"red", "yellow", "purple"}
        assert task.CLASSES[k] == f"{'warm' if warm else 'cold'} {ATTRIBUTES['shape'][shape]}"


def test_a_concept_lies_on_its_object_and_a_background_nowhere():
    found = scenes(200, seed=2)
    where, truth = task.spots(found), task.concepts(found.truth)
    alone = found.truth[:, 6] == 0
    assert (where[~alone] == -1).all() and (where[:, task.BACKGROUNDS] == -1).all() and (where[truth == 0] == -1).all()
    picture, concept = (where[..., 0] >= 0).nonzero().T
    row, column = where[picture, concept].T
    assert (found.instances[picture, row, column] == 1).all() and len(picture) == 6 * int(alone.sum())


def test_the_knob_ties_training_alone():
    train, valid, test = task.drawn(7, rho=1.0, **SIZES)
    for part, tied in ((train, 1.0), (valid, 1.0), (test, 0.25)):
        share = (part.truth[:, 5] == favourite(part.truth[:, 0])).double().mean().item()
        assert share == pytest.approx(tied, abs=0 if tied == 1 else 0.2)
    assert len(train.images) == 200 and len(valid.images) == 40 and len(test.images) == 60


def test_tokens_average_to_the_embedding_and_texts_are_units(source, tmp_path):
    data = source(5, rho=0.0, store=tmp_path)
    mean = torch.nn.functional.normalize(data.places.tokens.mean((1, 2)), dim=1)
    assert torch.allclose(mean.double(), data.test.x, atol=1e-5)
    task.through.cache_clear()
    again = source(5, rho=0.0, store=tmp_path)
    assert torch.equal(data.train.x, again.train.x) and any(tmp_path.iterdir())
    for words, count in ((data.concepts, 29), (data.classes, 12), (data.vocabulary, len(task.EMPTY))):
        assert len(words.names) == len(set(words.names)) == count
        assert torch.allclose(words.vectors.norm(dim=1), torch.ones(count).double())
    assert source(5, rho=0.0, places=False).places is None
    said = {word for name in task.EMPTY for word in name.split()}
    assert not said & set(task.CONCEPTS), "the vocabulary says an attribute"


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


def test_an_edit_takes_the_tied_background_and_nothing_else(source):
    data = source(3, rho=0.9)
    score = standardised(posthoc.projection(data.concepts), data.train.x)
    weights = torch.randn(12, 29, generator=torch.Generator().manual_seed(0)).double()
    model = methods.METHODS["PCBM words"](methods.case(data, 0))._replace(score=score, weights=weights)
    found = edits.edited(model, 0)
    for k, name in enumerate(task.CLASSES):
        own = edits.spurious(k)
        assert task.CONCEPTS[own] == ATTRIBUTES["background"][ATTRIBUTES["shape"].index(name.split()[1]) % 4]
        changed = {e: (one.weights[k] != weights[k]).nonzero().flatten().tolist() for e, one in found.items()}
        assert changed["none"] == [] and changed["prune"] == [own] and len(changed["other"]) == 1
        assert changed["other"][0] not in task.BACKGROUNDS
    assert torch.allclose(found["normalise"].weights.abs().sum(1), weights.abs().sum(1))


def test_names_are_judged_by_what_their_units_tell():
    model = posthoc.pcbm(DATA.train, DATA.valid, DATA.concepts)
    perfect = model._replace(score=lambda x: DATA.test_truth.double())
    names = list(DATA.concepts.names)
    rows = edits.named(perfect, names, torch.zeros(len(names)), DATA, 0)
    assert [row["tells"] for row in rows] == names and {row["area"] for row in rows} == {1.0}
    assert sorted(row["shuffled"] for row in rows) == sorted(names) and [row["shuffled"] for row in rows] != names


def test_objectives_alone_end_where_theory_says():
    rows = {row["kind"]: row for row in edits.alone(0)["alone"]}
    assert rows["gumbel_all"]["entropy"] > 0.95, "the coded objective is least at uniform rows, which Adam circles"
    assert rows["bernoulli"]["open"] == pytest.approx(0.05, abs=0.01)


def test_search_over_an_orthonormal_bank_is_zero_shot():
    assert edits.isotropic(DATA, 0) == 0


def test_a_trial_on_scenes_has_all_its_rows_and_repeats(source):
    tied, fair = partial(source, rho=0.95), partial(source, rho=0.0)
    more = partial(edits.misled, SIZES, 0.95, fair)
    made = concepts.measure([4], tied, more=more, budget=LITTLE, workers=1)
    assert set(made["methods"].method) == {*methods.METHODS, "end-to-end net"}
    made = {name: table.to_dict("records") for name, table in made.items()}
    assert len(made["edits"]) == 8 and {row["name"] for row in made["names"]} <= {*task.CONCEPTS, *task.EMPTY}
    knob = partial(edits.knob, {0.0: fair, 0.9: tied}, LITTLE, 4)
    made = pd.DataFrame(knob()["knob"]).set_index(["rho", "method"])
    assert list(made.index) == [(rho, name) for rho in (0.0, 0.9) for name in methods.METHODS]
    assert made.location_1.notna().groupby("method").all().sum() == len(methods.METHODS) - 2
    pd.testing.assert_frame_equal(made, pd.DataFrame(knob()["knob"]).set_index(["rho", "method"]))
    free = edits.untied(SIZES, methods.case(fair(4), 4, LITTLE), {})
    assert set(free) == {"shots", "isotropic", "methods"} and free["isotropic"] == [{"seed": 4, "differs": 0.0}]
    net = partial(edits.end_to_end, 4, rho=0.0, epochs=2, **SIZES)
    assert net() == net() and 0 <= net()["methods"][0]["accuracy"] <= 1


def test_examples_show_reasons_that_add_up_and_corrections_in_order(source):
    data = source(4, rho=0.95)
    case = methods.case(data, 4, LITTLE)
    found = examples.examples(case, rho=0.95, **SIZES)
    assert found.images.shape == (4, 3, 32, 32) and found.maps.shape == (4, 32, 32) and len(found.reasons) == 4 * 29
    first = [row["predicted"] for row in found.corrections if row["step"] == 0]
    model = methods.METHODS["PCBM words"](case)
    assert accuracy(model, *data.test) < 1 and all(
        row["predicted"] != row["true"] for row in found.corrections if row["step"] == 0
    )
    assert len(first) == 4 and {row["concept"] for row in found.corrections if row["step"]} <= set(task.CONCEPTS)
    names, fires = examples.gallery(case, rho=0.95, **SIZES)
    assert len(names) == len(fires) and fires.shape[1:] == (6, 3, 32, 32)


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
