"""Published sentences are as many as were published; blank and repeated ones are lost."""

import json

import pytest

from lib.data import cifar, concept_sets
from tests.data.samples import mirrored


@mirrored
@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [("label-free CIFAR-10", 10, 79), ("VLG CIFAR-10", 10, 165), ("LaBo CIFAR-10", 10, 4855), ("LaBo CUB", 200, 10_000),
     ("label-free CUB", 200, 1683), ("VLG CUB", 200, 1683)],
)  # fmt: skip
def test_published_sentences_by_class(name, classes, count, mirror):
    found = concept_sets.by_class(name)
    assert len(found) == classes and sum(map(len, found.values())) == count
    assert all(text == " ".join(text.split()) for said in found.values() for text in said)
    if name.endswith("CIFAR-10"):
        assert sorted(found) == sorted(cifar.CLASSES)


@mirrored
def test_published_filters(mirror):
    sizes = {name: len(concept_sets.filtered(name)) for name in concept_sets.FILTERED}
    assert sizes == {"label-free CIFAR-10": 143, "label-free CUB": 370, "VLG CIFAR-10": 128, "VLG CUB": 719}
    own = {text for said in concept_sets.by_class("VLG CIFAR-10").values() for text in said}
    kept = concept_sets.filtered("VLG CIFAR-10")
    assert sum(text in own for text in kept) > 0.9 * len(kept), "the filter is of another set"


def test_sentences_lose_blanks_and_doubles_and_classes_do_not(tmp_path):
    assert concept_sets.distinct(["a tail", " ", "A  tail", "two  wings"]) == ["a tail", "two wings"]
    (tmp_path / "said.json").write_text(json.dumps({"cat": ["fur"], "dog": ["", "  "]}))
    with pytest.raises(ValueError, match=r"said.json has no sentence for dog; add one or remove the class"):
        concept_sets.read_classes(tmp_path / "said.json")
    (tmp_path / "list.json").write_text(json.dumps(["fur"]))
    with pytest.raises(ValueError, match="must hold an object of lists, class -> sentences, got list"):
        concept_sets.read_classes(tmp_path / "list.json")
    with pytest.raises(ValueError, match="unknown published set of concepts by class 'LaBo'; known: LaBo CIFAR-10"):
        concept_sets.by_class("LaBo")
