"""Attributes of public sets are what was published; what cannot be read says so."""

import numpy as np
import pandas as pd
import pytest
import torch

from lib.data import annotations
from tests.data.samples import MIRROR, RAW, mirrored


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


@pytest.mark.parametrize(("name", "n"), [("digits", 1797), ("mnist_digits", 5000)])
def test_holes_of_digits_are_those_of_their_shapes(name, n, raw):
    found = annotations.annotated(name, raw)
    assert found.truth.shape == (n, 18)
    one, two = (found.truth[:, found.concepts.index(f"{word} hole{s}")].double() for word, s in (("one", ""), ("two", "s")))
    by = torch.tensor([(one[found.y == k].mean(), two[found.y == k].mean()) for k in range(10)])
    assert by[0, 0] > 0.8 and (by[[6, 9], 0] > 0.6).all() and (by[[1, 5, 7], 0] < 0.3).all()
    assert by[8].sum() > 0.8 and by[:, 1].argmax() == 8 and by[1].sum() < 0.05
