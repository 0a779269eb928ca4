"""Pictures, sentences and attributes of public sets are what was published; what cannot be read says so."""

import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data import annotations, cifar, concept_sets, sources
from lib.data.addresses import CIFAR_BATCHES, SOURCES
from tests import ROOT

MIRROR = ROOT.parent / "shared/data"
RAW = ROOT / "data/raw"
mirrored = pytest.mark.skipif(not MIRROR.exists(), reason=f"the mirror of public data {MIRROR} is not here")


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Public data from the mirror, into a cache of the test's own."""
    monkeypatch.setenv("HOURGLASS_DATA_MIRROR", str(MIRROR))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path))


# CIFAR-10.


def python_2(images: np.ndarray, labels: list[int]) -> bytes:
    """A batch as Python 2 wrote it, protocol 2 with strings as bytes, without an array around the pixels."""
    content = {"batch_label": "training batch 1 of 5", "labels": labels, "filenames": [f"{i}.png" for i in range(len(labels))]}
    head = pickle.dumps(content, protocol=2)[:-1]  # left open: the pixels follow as a string of Python 2
    pixels = images.tobytes()
    return head + b"U\x04data" + b"T" + len(pixels).to_bytes(4, "little") + pixels + b"s."


def test_a_batch_is_read_without_being_run(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 32, 32), dtype=np.uint8)
    (tmp_path / "batch").write_bytes(python_2(images, [6, 9, 9, 4, 1, 1, 2]))
    found = cifar.batch(tmp_path / "batch")
    np.testing.assert_array_equal(found.images.numpy(), images)
    assert found.y.tolist() == [6, 9, 9, 4, 1, 1, 2] and found.classes[6] == "frog"

    class Harm:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    (tmp_path / "bad").write_bytes(pickle.dumps({"labels": Harm()}, protocol=2))
    with pytest.raises(ValueError, match=r"bad has 0 labels, \d+ bytes of pixels.*wanted 3072 bytes a label"):
        cifar.batch(tmp_path / "bad")
    assert not (tmp_path / "harm").exists(), "the pickle was run"


def test_what_is_no_batch_is_refused(tmp_path):
    (tmp_path / "text").write_bytes(b"no pickle at all")
    with pytest.raises(ValueError, match=r"text is no batch of CIFAR-10 .*; fetch it again"):
        cifar.batch(tmp_path / "text")
    short = python_2(np.zeros((2, 3, 32, 32), np.uint8), [1, 2, 3])
    (tmp_path / "short").write_bytes(short)
    with pytest.raises(ValueError, match="short has 3 labels, 6144 bytes of pixels"):
        cifar.batch(tmp_path / "short")
    (tmp_path / "eleven").write_bytes(python_2(np.zeros((2, 3, 32, 32), np.uint8), [1, 11]))
    with pytest.raises(ValueError, match=r"labels \[1, 11\]; wanted 3072 bytes a label, which is below 10"):
        cifar.batch(tmp_path / "eleven")


@mirrored
def test_the_first_batch_is_the_published_one(mirror):
    found = cifar.cifar10(["data_batch_1"])
    assert found.images.shape == (10_000, 3, 32, 32) and found.images.dtype == torch.uint8
    assert found.y.bincount().tolist() == [1005, 974, 1032, 1016, 999, 937, 1030, 1001, 1025, 981]
    assert [found.classes[k] for k in found.y[:5].tolist()] == ["frog", "truck", "truck", "deer", "automobile"]
    assert found.images[0, :, 0, 0].tolist() == [59, 62, 63]  # red, green and blue of the frog's first pixel


def test_members_of_an_archive_are_checked_and_need_one_download(tmp_path, monkeypatch):
    images, calls = np.ones((2, 3, 32, 32), np.uint8), []
    whole = tmp_path / "whole.tar.gz"
    with tarfile.open(whole, "w:gz") as archive:
        for name in CIFAR_BATCHES:
            content = python_2(images, [3, CIFAR_BATCHES.index(name)])
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            (tmp_path / name).write_bytes(content)
    hashes = {name: sources.fingerprint(tmp_path / name, "md5:") for name in CIFAR_BATCHES}
    packed = ("cifar-10-python.tar.gz", sources.fingerprint(whole, ""))
    monkeypatch.setitem(SOURCES, "cifar10", SOURCES["cifar10"]._replace(files=hashes, archive=packed))
    monkeypatch.setattr(sources, "download", lambda url, part: (calls.append(url), part.write_bytes(whole.read_bytes())))
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HOURGLASS_DATA_MIRROR", raising=False)
    assert cifar.cifar10().y.tolist() == [3, 0, 3, 1, 3, 2, 3, 3, 3, 4] and cifar.cifar10(["test_batch"]).y.tolist() == [3, 5]
    assert calls == ["https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"]
    monkeypatch.setenv("HOURGLASS_CACHE", str(tmp_path / "other"))
    monkeypatch.setitem(SOURCES, "cifar10", SOURCES["cifar10"]._replace(archive=(packed[0], "0" * 64)))
    with pytest.raises(ValueError, match=r"cifar10/cifar-10-python.tar.gz has the hash \w+, not the recorded 0000"):
        cifar.cifar10()
    with pytest.raises(ValueError, match="unknown file of cifar10 'data_batch_6'; known: data_batch_1"):
        cifar.cifar10(["data_batch_6"])


# Published sentences.


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


# Attributes.


def test_values_become_columns_and_two_become_one():
    frame = pd.DataFrame({"wing_shape": ["long", "short", "long"], "colour": ["red", "blue", "green"]})
    found = annotations.coded(frame, pd.Series(["owl", "jay", "owl"]))
    assert found.concepts == ["wing shape: short", "colour: blue", "colour: green", "colour: red"]
    assert found.truth.tolist() == [[0, 0, 0, 1], [1, 1, 0, 0], [0, 0, 1, 0]]
    assert found.classes == ["jay", "owl"] and found.y.tolist() == [1, 0, 1]


@mirrored
def test_blood_cells_have_the_published_counts(mirror):
    found = annotations.annotated("wbcatt", RAW)
    counts = dict(zip(found.classes, found.y.bincount().tolist(), strict=True))
    assert counts == {"Basophil": 1218, "Eosinophil": 3117, "Lymphocyte": 1214, "Monocyte": 1420, "Neutrophil": 3329}
    assert found.truth.shape == (10_298, 24) and set(found.truth.unique().tolist()) == {0, 1}
    nucleus = [j for j, name in enumerate(found.concepts) if name.startswith("nucleus shape: ")]
    assert (found.truth[:, nucleus].sum(1) == 1).all() and len(nucleus) == 6, "a cell has one shape of nucleus"


@mirrored
def test_lesions_by_the_seven_criteria(mirror):
    found = annotations.annotated("derm7pt", RAW)
    assert len(found.y) == 1011 and "melanoma" in " ".join(found.classes) and found.y.bincount().min() >= 20
    assert len({name.split(":")[0] for name in found.concepts}) == 7


@mirrored
def test_birds_agree_with_the_table_of_concept_bottleneck_models(mirror):
    found = annotations.annotated("cub", RAW)
    assert found.truth.shape == (11_788, 108) and len(found.classes) == 200 and found.y.bincount().max() == 60
    own = torch.stack([found.truth[found.y == k][0] for k in range(200)])
    assert (found.truth == own[found.y]).all(), "birds of one species differ"
    rows = (MIRROR / "cub200_meta/cbm_class_by_112.tsv").read_text().splitlines()
    theirs = torch.tensor([[int(v) for v in row.split()[1:]] for row in rows])
    agree = (own.T[:, None] == theirs.T[None]).double().mean(2)  # ours by theirs
    assert agree.amax(0).median() > 0.95 and agree.amax(0).min() > 0.75
    chance = (
        (own.T[:, None] == theirs[torch.randperm(200, generator=torch.Generator().manual_seed(0))].T[None]).double().mean(2)
    )
    assert chance.amax(0).median() < agree.amax(0).median() - 0.05


def test_holes_are_paper_that_ink_encloses():
    ring = np.zeros((8, 8), bool)
    ring[1:6, 1:6] = True
    ring[2:5, 2:5] = False
    assert annotations.holes(ring) == 1 and annotations.holes(np.zeros((8, 8), bool)) == 0
    ring[3, 1:6] = True
    assert annotations.holes(ring) == 2
    ring[2, 1] = False
    assert annotations.holes(ring) == 1, "a gap opens the upper hole"
    corner = np.zeros((5, 5), bool)
    corner[[1, 2, 2, 3], [2, 1, 3, 2]] = True
    assert annotations.holes(corner) == 1, "ink that touches by corners encloses"


def test_ink_is_counted_in_parts():
    picture = np.zeros((1, 8, 8), np.uint8)
    picture[0, :2, 2:4] = 16
    found = annotations.inked(picture, np.array([7]))
    assert [found.concepts[j] for j in found.truth[0].nonzero().flatten().tolist()] == ["ink in row 1, column 2"]
    with pytest.raises(ValueError, match="pictures are 6 x 8; sides must be multiples of 4, crop or pad them"):
        annotations.inked(np.zeros((1, 6, 8), np.uint8), np.array([0]))
    with pytest.raises(ValueError, match="unknown annotated set 'skin'; known: cub, derm7pt"):
        annotations.annotated("skin", RAW)


@pytest.fixture(scope="module")
def raw() -> Path:
    """The embedded data, as `make repro` pulls them."""
    if not RAW.exists():
        subprocess.run([sys.executable, "-m", "pipelines.runner.tracked"], cwd=ROOT, check=True)
    return RAW


@pytest.mark.parametrize(("name", "n"), [("digits", 1797), ("mnist_digits", 5000)])
def test_holes_of_digits_are_those_of_their_shapes(name, n, raw):
    found = annotations.annotated(name, raw)
    assert found.truth.shape == (n, 18)
    one, two = (found.truth[:, found.concepts.index(f"{word} hole{s}")].double() for word, s in (("one", ""), ("two", "s")))
    by = torch.tensor([(one[found.y == k].mean(), two[found.y == k].mean()) for k in range(10)])
    assert by[0, 0] > 0.8 and (by[[6, 9], 0] > 0.6).all() and (by[[1, 5, 7], 0] < 0.3).all()
    assert by[8].sum() > 0.8 and by[:, 1].argmax() == 8 and by[1].sum() < 0.05
