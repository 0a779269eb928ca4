"""Weights that ship are those that their settings train, and nothing else is taken for them."""

import json

import pytest
import torch

from lib.concepts import clip, shipped, small
from lib.data.captions.scenes import scenes
from lib.data.captions.sentences import captions

SEEN = scenes(128, seed=5)
SAID = captions(SEEN.truth, each=2, seed=5)
GIVEN = shipped.settings({"n": 128, "captions": 2, "rho": 0.0}, {"steps": 2, "batch": 32}, 5)


@pytest.fixture(scope="module")
def made():
    return shipped.train(SEEN, SAID, GIVEN)


@pytest.fixture
def folder(made, tmp_path):
    shipped.store(tmp_path / "small.safetensors", made, GIVEN)
    return tmp_path


def test_what_was_trained_is_found_by_its_settings_to_the_bit(made, folder):
    found = shipped.find(folder, SAID, json.loads(json.dumps(GIVEN)))
    assert found.history == made.history and found.words.kept == made.words.kept and not found.model.training
    assert found.source.startswith("small.safetensors of this repository, sha256 ")
    first, back = (clip.Backbone(one.model, one.words) for one in (made, found))
    assert back.fingerprint == first.fingerprint and torch.equal(
        back.embed_images(SEEN.images), first.embed_images(SEEN.images)
    )


@pytest.mark.parametrize(
    "other",
    [
        shipped.settings({"n": 128, "captions": 2, "rho": 0.5}, {"steps": 2, "batch": 32}, 5),
        shipped.settings({"n": 128, "captions": 2, "rho": 0.0}, {"steps": 3, "batch": 32}, 5),
        shipped.settings({"n": 128, "captions": 2, "rho": 0.0}, {"steps": 2, "batch": 32, "lr": 0.1}, 5),
        shipped.settings({"n": 128, "captions": 2, "rho": 0.0}, {"steps": 2, "batch": 32}, 6),
    ],
)
def test_other_settings_have_no_weights(folder, other):
    assert shipped.find(folder, SAID, other) is None


def test_words_of_other_captions_are_refused(folder):
    other = captions(scenes(3, seed=9).truth, each=1, seed=9)
    with pytest.raises(ValueError, match=r"small\.safetensors was trained on other words than those of the captions drawn now"):
        shipped.find(folder, other, GIVEN)


def test_missing_weights_are_told_of(folder, tmp_path):
    (folder / "small.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match=r"small\.safetensors does not exist; `dvc pull data\.dvc` brings"):
        shipped.find(folder, SAID, GIVEN)
    with pytest.raises(FileNotFoundError, match=r"none does not exist; `dvc pull data\.dvc` brings"):
        shipped.find(tmp_path / "none", SAID, GIVEN)


def test_tampered_weights_are_refused(folder):
    path = folder / "small.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"has the sha256 [0-9a-f]{64}, and not [0-9a-f]{64} as it was trained; `dvc pull"):
        shipped.find(folder, SAID, GIVEN)


def test_weights_of_another_shape_are_refused(made, folder):
    wide = made._replace(model=small.untrained(made.words.size + 1, seed=0))
    shipped.store(folder / "small.safetensors", wide, GIVEN)
    with pytest.raises(ValueError, match=r"are not those of this network: .*size mismatch"):
        shipped.find(folder, SAID, GIVEN)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is not valid JSON"), ('{"settings": {}}', "must tell settings, vocabulary, sha256, history, it")]
)
def test_a_file_that_does_not_tell_of_weights_is_refused(folder, text, said):
    (folder / "small.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        shipped.find(folder, SAID, GIVEN)
