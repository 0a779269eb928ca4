"""Banks of concepts: means of their sentences, one backbone's own, no blanks, no repetition, names of classes flagged."""

import pytest
import torch

from lib.concepts import bank as banks
from lib.concepts.bank import bank, distinct, named_classes, scores
from tests.concepts.clips import IMAGES, made


def test_a_bank_is_the_mean_of_its_sentences_and_comes_back(tmp_path):
    backbone = made()
    rows = backbone.embed_texts(["red circle", "a red disc", "blue"])
    found = bank(backbone, {"red circle": ["red circle", "a red disc"], "blue": ["blue"]})
    want = torch.nn.functional.normalize(torch.stack([rows[:2].mean(0), rows[2]]), dim=1)
    assert torch.allclose(found.vectors, want, atol=1e-6) and found.names == ["red circle", "blue"]
    raw = bank(backbone, ["blue"], normalisation="raw")
    assert torch.allclose(raw.vectors, backbone.embed_texts(["blue"], unit=False)) and raw.normalisation == "raw"
    banks.write(tmp_path / "bank.safetensors", found)
    back = banks.read(tmp_path / "bank.safetensors")
    assert torch.equal(back.vectors, found.vectors) and back._replace(vectors=0) == found._replace(vectors=0)
    x = backbone.embed_images(IMAGES)
    assert torch.allclose(scores(found, x, backbone=backbone.fingerprint), x @ want.T, atol=1e-6)


def test_a_bank_refuses_another_backbone_of_the_same_width():
    first, second = made(seed=0), made(seed=1)
    found = bank(first, ["red", "blue"])
    x = second.embed_images(IMAGES)
    assert x.shape[1] == found.vectors.shape[1]
    with pytest.raises(ValueError, match=f"the bank was made by backbone {first.fingerprint[:12]} and the embeddings by"):
        scores(found, x, backbone=second.fingerprint)
    with pytest.raises(ValueError, match="x has 5 columns and the bank 64"):
        scores(found, x[:, :5], backbone=first.fingerprint)


def test_concepts_that_are_none_or_twice_are_refused():
    for names, said in (
        ([], "at least one name"),
        (["red", " "], "' ' is no concept"),
        (["striped wings", "red", "Striped  wings"], "'Striped  wings' is given twice, first as 'striped wings'"),
    ):
        with pytest.raises(ValueError, match=said):
            distinct(names)
        with pytest.raises(ValueError, match=said):
            bank(made(), names)
    with pytest.raises(ValueError, match="the concept 'red' has no sentence"):
        bank(made(), {"red": []})
    with pytest.raises(ValueError, match="normalisation must be one of unit, raw, got 'l2'"):
        bank(made(), ["red"], normalisation="l2")


def test_concepts_that_hold_a_class_as_whole_words_are_flagged():
    names = ["cat", "a Cat's ear", "category", "many cats", "polar bear fur", "bear", "boxes", "concatenated"]
    assert named_classes(names, ["cat", "polar bear", "box"]) == {
        "cat": "cat", "a Cat's ear": "cat", "many cats": "cat", "polar bear fur": "polar bear", "boxes": "box",
    }  # fmt: skip
    assert bank(made(), ["red circle", "a circled square"], classes=["circle"]).flagged == {"red circle": "circle"}
