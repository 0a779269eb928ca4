"""Metrics on attributes that are known exactly, and published sentences through a CLIP, from pictures to a table."""

import pytest
import torch

from lib.concepts import clip, posthoc, small
from lib.concepts.bottleneck import accuracy
from lib.concepts.discover import Dictionary
from lib.concepts.methods import case
from lib.core.types import Rows, Words
from lib.data import cifar, concept_sets
from lib.data.annotations import ANNOTATED, Annotated
from lib.data.embeddings import Embedded
from lib.experiments.concepts_on_real_data import annotations, published_sentences
from lib.workbook import runs
from tests import ROOT

MIRROR = ROOT.parent / "shared/data"
mirrored = pytest.mark.skipif(not MIRROR.exists(), reason=f"the mirror of public data {MIRROR} is not here")


def told(n: int = 1200, seed: int = 0) -> Annotated:
    """Six independent attributes; the class counts in binary by the first two, the others mean nothing."""
    truth = torch.randint(2, (n, 6), generator=torch.Generator().manual_seed(seed))
    return Annotated(truth, list("abcdef"), 2 * truth[:, 0] + truth[:, 1], ["none", "b", "a", "both"])


def test_a_split_has_each_image_once_and_attributes_that_vary():
    found = told(100)
    found.truth[:, 3] = 1
    tagged = found._replace(truth=torch.cat([found.truth, (torch.arange(100)[:, None] >> torch.arange(7)) & 1], 1))
    data = annotations.split(tagged, 100, 5)
    assert [len(part.y) for part in data] == [64, 16, 20] and data.train.x.shape[1] == 12, "a constant attribute is left"
    rows = torch.cat([part.x[:, 5:].long() for part in data])
    assert (rows * 2 ** torch.arange(7)).sum(1).sort().values.tolist() == list(range(100))
    assert all(torch.equal(part.y, (2 * part.x[:, 0] + part.x[:, 1]).long()) for part in data)
    assert not torch.equal(annotations.split(tagged, 100, 6).train.x, data.train.x)
    with pytest.raises(ValueError, match=r"3 images leave no training image of .*; give more rows"):
        annotations.split(found, 3, 0)


def test_of_many_classes_twenty_are_drawn():
    found = told(400)._replace(y=torch.arange(400) % 40, classes=[f"class {k}" for k in range(40)])
    some = annotations.fewer(found, 3)
    assert len(some.classes) == 20 and some.y.bincount().tolist() == [10] * 20
    named = [int(some.classes[k].split()[1]) for k in some.y.tolist()]
    own = torch.isin(found.y, torch.tensor(named))
    assert named == found.y[own].tolist() and torch.equal(some.truth, found.truth[own])
    assert annotations.fewer(found, 4).classes != some.classes
    assert annotations.fewer(few := told(50), 3) is few


def test_errors_are_weakness_and_leaks_are_leakage():
    true, noisy, leaky = annotations.impure(annotations.split(told(), 1200, 0), 0)
    assert true == {"seed": 0, "scores": "true", "impurity": 0, "leakage": 0, "weakness": 0}
    assert noisy["weakness"] > 0.15 and noisy["leakage"] < 0.02
    assert leaky["leakage"] > 0.08 and leaky["weakness"] < 0.01  # a fifth of the pairs leak, from 1/2 to nearly 1
    assert min(noisy["impurity"], leaky["impurity"]) > 0.1, "the published score tells neither from the other"


def test_few_attributes_do_and_shuffled_ones_do_not():
    found = told()
    rows = {(r["concepts"], r["level"]): r["accuracy"] for r in annotations.levels(annotations.split(found, 1200, 1), 1)}
    assert rows["attributes", 3] == 1.0 > rows["mixtures", 3] and rows["shuffled", 5] < 0.4
    draw = torch.Generator().manual_seed(0)
    data = annotations.split(found, 1200, 1)
    mixed = annotations.shuffled(data, draw)
    assert torch.equal(mixed.test.x.sum(0), data.test.x.sum(0)) and not torch.equal(mixed.test.x, data.test.x)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_path_goes_on_beyond_the_head_that_validation_chooses(seed):
    data = annotations.split(told(), 1200, seed)
    turn = torch.randn(6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    fitted = annotations.path(data, lambda x: x @ turn)  # weak penalties: what tells a class is spread over all scores
    chosen = posthoc.best(fitted, data.train, data.valid)
    assert accuracy(chosen, *data.valid) == 1.0 and not torch.equal(chosen.weights, fitted.path.weights[-1])


def test_a_head_on_noisy_scores_listens_to_corrections():
    row = annotations.headed(annotations.split(told(), 1200, 2), 2)
    assert row["attributes"] == 6 and row["probe"] == row["head"] == row["completeness"] == 1.0
    assert row["unsure"] < 0.9 and row["all_right"] > 0.99 and row["wrong_area"] < row["unsure"] < row["area"]
    # Half of what leads is absent: a class without an attribute is told by its absence.
    assert 0.2 < row["existence_1"] < 0.9 and row["chance"] == pytest.approx(0.5, abs=0.05)


def test_tables_have_a_row_a_seed():
    found = annotations.measure(told(300), [0, 1], rows=300, workers=1)
    assert {name: len(table) for name, table in found.items()} == {"heads": 2, "levels": 24, "impure": 6}
    again = annotations.measure(told(300), [1], rows=300, workers=1)["heads"]
    assert again.iloc[0].to_dict() == found["heads"][found["heads"].seed == 1].iloc[0].to_dict()


def test_sets_that_are_named_can_be_read():
    record = runs.read_yaml(ROOT / "notebooks/concepts/concepts_on_real_data/record.yaml")
    named = [given["runs"]["annotations"]["parameters"]["sets"] for given in (record, runs.parameters(ROOT))]
    assert sorted(named[0] + named[1]) == sorted(ANNOTATED), "a set is judged nowhere, or named and not known"


# Published sentences.


def tiny() -> clip.Backbone:
    """A CLIP of random weights that knows the words below."""
    kept = small.vocabulary([" ".join(SAID["frog"] + SAID["truck"] + OTHERS), published_sentences.PROMPT.format("frog truck")])
    words = small.Words(kept)
    return clip.Backbone(small.untrained(words.size, seed=0), words)


SAID = {"frog": ["green skin", "a trucker", "a frog on a leaf", "legs", "  Legs "], "truck": ["wheels", "a cabin", "legs"]}
OTHERS = ["a beak", "grey wings", "a long tail", "webbed feet", "a hooked bill", "Green Skin", "red eyes", "white throat"]


def coloured(n: int) -> cifar.Pictures:
    """Green frogs and red trucks."""
    y = torch.arange(n) % 2
    images = torch.randint(0, 60, (n, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    images[torch.arange(n), 1 - y] += 150
    return cifar.Pictures(images, y, ("frog", "truck"))


def test_sentences_that_name_a_class_are_left_out_and_shared_ones_have_two_owners():
    made = published_sentences.chosen(SAID, ("frog", "truck"), most=3)
    assert made == {"green skin": {"frog"}, "a trucker": {"frog"}, "legs": {"frog", "truck"}, "wheels": {"truck"},
                    "a cabin": {"truck"}}  # fmt: skip
    assert list(published_sentences.chosen(SAID, ("frog", "truck"), most=1)) == ["green skin", "wheels"]
    with pytest.raises(ValueError, match="nothing was written for cat; the set has frog, truck"):
        published_sentences.chosen(SAID, ("frog", "cat"), most=3)
    with pytest.raises(ValueError, match="every sentence of 'frog' holds the name of a class; write others"):
        published_sentences.chosen({"frog": ["a frog"], "truck": ["wheels"]}, ("frog", "truck"), most=3)
    with pytest.raises(ValueError, match="most must be a whole number >= 1, got 0"):
        published_sentences.chosen(SAID, ("frog", "truck"), most=0)


def test_pictures_and_sentences_go_through_a_clip_to_a_table():
    data = published_sentences.through(tiny(), coloured(120), SAID, OTHERS, seed=0, rows=100)
    assert [len(part.y) for part in (data.train, data.valid, data.test)] == [60, 20, 20]
    legs = data.concepts.names.index("legs")
    wheels = data.test_truth[:, data.concepts.names.index("wheels")]
    assert (data.train_truth[:, legs] == 1).all() and torch.equal(wheels, data.test.y)
    assert "Green Skin" not in data.vocabulary.names and len(data.vocabulary.names) == 7
    said = SAID | {"truck": ["wheels", "a beak"]}
    few = published_sentences.through(tiny(), coloured(120), said, OTHERS, seed=0, rows=9, most=1)
    assert "a beak" not in [*few.concepts.names, *few.vocabulary.names], "what was published for a class is no other's word"
    found = published_sentences.measured(case(data, 0))
    right = {row["method"]: row["accuracy"] for row in found["methods"]}
    assert set(right) == {*published_sentences.COMPARED, "LaBo"} and right["linear probe"] == 1.0
    assert {row["concepts"] for row in found["levels"]} == set(published_sentences.KINDS)
    assert {row["level"] for row in found["levels"]} == {5, 10, 15, 20, 25, 30}
    (names,) = found["names"]
    assert names["units"] > 0 and 0 <= names["fits"] <= 1 and names["foreign_words"] == 7 / 12


def judged() -> Embedded:
    """Six test pictures of three classes; "loud" was written for two of them, "beak" and "tail" for none."""
    y = torch.arange(3).repeat_interleave(2)
    test, truth = Rows(torch.zeros(6, 2), y), torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 1]])[y]
    known, others = (Words(names, torch.zeros(len(names), 2)) for names in (["green", "wheels", "loud"], ["beak", "tail"]))
    return Embedded(test, test, test, truth, truth, known, known, others)


def test_a_name_fits_that_was_published_for_the_class_that_its_unit_tells():
    code = torch.tensor([[2, 0, 0, 9, 1], [1, 0, 0, 0, 1], [0, 3, 0, 1, 0], [0, 1, 1, 1, 0], [1, 0, 2, 0, 0], [0, 0, 3, 0, 0]])
    called = ["green", "green", "loud", "wheels", "beak"]  # of frogs, trucks, ships, trucks but for one bright frog, frogs
    rows = [published_sentences.fitting(code.double(), called, judged(), seed) for seed in range(400)]
    assert {(row["units"], row["fits"], row["foreign"], row["foreign_words"]) for row in rows} == {(5, 3 / 5, 1 / 5, 2 / 5)}
    dealt = (2 + 2 + 2 + 1 + 2) / 25  # of five names two fit frogs, two trucks, one ships
    assert sum(row["shuffled"] for row in rows) / 400 == pytest.approx(dealt, abs=0.03)
    assert published_sentences.fitting(code.double(), called, judged(), 7) == rows[7]
    with pytest.raises(ValueError, match="0 units fire and 3 classes are tested; give more pictures"):
        published_sentences.fitting(code[:, :0].double(), [], judged(), 0)


def planted(seed: int, *, rolled: int = 0, swapped: bool = False) -> Embedded:
    """Four classes along an axis each, and a word along each axis, written for its class or another; other words beside."""
    frame = torch.eye(12, dtype=torch.float64)
    draw = torch.Generator().manual_seed(seed)

    def part(n: int) -> Rows:
        y = torch.randint(4, (n,), generator=draw)
        return Rows(frame[y] + 0.05 * torch.randn(n, 12, generator=draw, dtype=torch.float64), y)

    train, valid, test = part(400), part(50), part(200)
    truth = torch.eye(4, dtype=torch.long).roll(rolled, 1)
    words = Words([f"word {k}" for k in range(4)], frame[:4]), Words([f"other {k}" for k in range(4)], frame[4:8])
    known, others = (own._replace(vectors=words[k ^ swapped].vectors) for k, own in enumerate(words))
    return Embedded(train, valid, test, truth[train.y], truth[test.y], known, known, others)


def test_units_of_planted_classes_get_the_words_along_their_axes():
    right, wrong, foreign = (
        published_sentences.named(case(planted(1, **given), 1)) for given in ({}, {"rolled": 1}, {"swapped": True})
    )
    assert right["units"] >= 8 and right["fits"] > 0.75 > 2 * right["shuffled"] and right["foreign"] < 0.2
    assert wrong["fits"] == 0 and wrong["foreign"] == right["foreign"], "a name fits a class that it was not published for"
    assert foreign["fits"] == 0 and foreign["foreign"] == 1 - right["foreign"]


def test_only_units_that_fire_are_named():
    data, axes = planted(2), torch.eye(12, dtype=torch.float64)[None, :6]
    firing = torch.tensor([[0.2, 0.2, 0.2, 0.0, 0.2, 0.2]])  # the fourth never in training; the last two not on the test
    offset, base = torch.full((1, 6), -0.5).double(), torch.zeros(1, 12).double()
    found = Dictionary(axes, offset, axes, base, base[0], torch.tensor(1.0).double(), firing)
    names = published_sentences.named(case(data, 2)._replace(dictionary=lambda: found))
    assert (names["units"], names["fits"], names["foreign"]) == (3, 1.0, 0.0)


@mirrored
def test_the_published_sets_go_through_a_clip(tmp_path, monkeypatch):
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))
    model, pictures, sizes = tiny(), cifar.cifar10(["data_batch_1"]), {"rows": 200, "most": 12}
    found = published_sentences.compared(model, pictures, [0, 1], **sizes)
    fetched = {(path.parent.name, path.name) for path in tmp_path.glob("*/*")}
    assert fetched == set(published_sentences.files(["data_batch_1"])), "what is read is not what is named"
    assert (
        set(found.set) == set(published_sentences.CIFAR10)
        and found.groupby(["set", "table", "seed"]).size().to_list() == [18, 18, 7, 7, 1, 1] * 3
    )
    right = found[found.method == "linear probe"].accuracy
    assert right.mean() > 0.15, "even random weights tell ships from frogs"
    assert found[found.table == "levels"].level.isin(published_sentences.LEVELS).all()
    names = found.table == "names"
    assert list(found) == published_sentences.COLUMNS and found[~names].accuracy.between(0, 1).all()
    filled = found[published_sentences.NAMED].notna()
    assert filled[names].all(axis=None) and not filled[~names].any(axis=None)
    said, birds = concept_sets.by_class("LaBo CIFAR-10"), concept_sets.filtered(published_sentences.OTHERS)
    alone = case(published_sentences.through(model, pictures, said, birds, seed=1, **sizes), 1)
    row = found[names & (found.set == "LaBo CIFAR-10") & (found.seed == 1)].iloc[0]
    assert row[["seed", *published_sentences.NAMED]].to_dict() == published_sentences.named(alone), "alone it has other units"
