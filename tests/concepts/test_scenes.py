"""Scenes as a task of concept models: labels, places and the knob against what is painted, embeddings of the CLIP in place."""

import pytest
import torch

from lib.concepts import clip, small
from lib.concepts import scenes as scene_embeddings
from lib.concepts import scenes as task
from lib.data.captions.attributes import ATTRIBUTES, favourite
from lib.data.captions.scenes import scenes
from tests.concepts.clips import TEXTS
from tests.samples import SIZES


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


def test_scenes_are_embedded_anew_by_a_clip_that_was_trained_anew_in_its_place(tmp_path):
    words = small.Words(small.vocabulary([*TEXTS, *scene_embeddings.EMPTY]))
    sizes, found = {"rho": 0.0, "n": 40, "valid": 10, "test": 10}, []
    for seed in (0, 0, 1):
        clip.save(tmp_path, small.untrained(words.size, seed=seed), words)
        found.append(scene_embeddings.embedded(3, folder=tmp_path, **sizes))
    first, again, other = found
    assert again is first, "the same weights embed once"
    images = scene_embeddings.drawn(3, **sizes)[2].images
    assert torch.equal(other.test.x, clip.load(tmp_path).embed_images(images).double())
    assert torch.equal(other.test.y, first.test.y) and (other.concepts.vectors - first.concepts.vectors).abs().max() > 0.01
