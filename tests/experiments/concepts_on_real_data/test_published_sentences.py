"""Published sentences through a CLIP, from pictures to a table."""

import pytest
import torch

from lib.concepts import clip, small
from lib.concepts.discover import Dictionary
from lib.concepts.methods import case
from lib.core.types import Rows, Words
from lib.data import cifar, concept_sets
from lib.data.embeddings import Embedded
from lib.experiments.concepts_on_real_data import published_sentences
from pipelines import record
from tests import ROOT

MIRROR = ROOT.parent / "shared/data"
mirrored = pytest.mark.skipif(not MIRROR.exists(), reason=f"the mirror of public data {MIRROR} is not here")


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
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOURGLASS_FETCHED", str(tmp_path / "told"))
    model, pictures, sizes = tiny(), cifar.cifar10(["data_batch_1"]), {"rows": 200, "most": 12}
    found = published_sentences.compared(model, pictures, [0, 1], **sizes)
    fetched = {(path.parent.name, path.name) for path in (tmp_path / "cache").glob("*/*")}
    assert len(fetched) == 5 and fetched == {tuple(name.split("/")) for name in record.fetched(tmp_path / "told")}
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
