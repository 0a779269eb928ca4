"""Scenes are what their truth says: areas, places and colours."""

import math

import pytest
import torch

from lib.data.captions.attributes import ATTRIBUTES, COLUMN
from lib.data.captions.scenes import MOST, scenes
from lib.data.captions.shapes import ARM, RING, STAR

AREAS = {  # of a shape in a circle of radius 1
    "circle": math.pi,
    "square": 2.0,
    "triangle": 0.75 * math.sqrt(3),
    "star": 5 * STAR * math.sin(math.pi / 5),
    "ring": math.pi * (1 - RING**2),
    "cross": 4 * (2 * ARM - ARM**2) / (1 + ARM**2),
}


@pytest.fixture(scope="module")
def some():
    return scenes(3000, part="all", seed=0)


def areas(scene, size=32):
    """Pixels of each object over the square of its radius, (n, 3)."""
    counts = torch.stack([(scene.instances == k + 1).flatten(1).sum(1) for k in range(MOST)], 1)
    return counts / scene.objects[:, :, 2].square()


@pytest.mark.parametrize(("shape", "area"), AREAS.items())
def test_masks_have_the_closed_form_area(some, shape, area):
    of_shape = some.truth[:, 0] == ATTRIBUTES["shape"].index(shape)
    found = areas(some)[of_shape]
    found = found[found.isfinite()]
    assert found.mean() == pytest.approx(area, rel=0.01)  # about 800 objects at random places; one is off by a few per cent
    assert ((found / area - 1).abs() < 0.3).all()


@pytest.mark.parametrize(("size", "rel"), [(16, 0.03), (48, 0.01), (64, 0.01)])
def test_other_sizes_show_the_same_scenes_larger(size, rel):
    scene = scenes(400, size=size, seed=1)
    assert scene.images.shape == (400, 3, size, size)
    want = torch.tensor(list(AREAS.values()))[scene.truth[:, 0]]
    there = areas(scene).isfinite()
    assert (areas(scene) / want[:, None])[there].mean() == pytest.approx(1, rel=rel)
    assert torch.equal(scene.objects[..., 3].isnan(), ~there)


def test_objects_lie_where_the_truth_says(some):
    count = (~some.objects[..., 0].isnan()).sum(1)
    assert torch.equal(count, some.truth[:, COLUMN["count"]] + 1)
    assert torch.equal(some.instances.flatten(1).amax(1).long(), count)
    row, column, radius = (some.objects[:, 0, i] for i in range(3))
    place = some.truth[:, COLUMN["place"]]
    for name, where in {"left": column < 13.5, "right": column > 18.5, "top": row < 13.5, "bottom": row > 18.5}.items():
        chosen = place == ATTRIBUTES["place"].index(name)
        assert where[chosen].all() and not where[(place == ATTRIBUTES["place"].index("centre"))].any()
    assert torch.equal(radius > 6, some.truth[:, COLUMN["size"]] == 1)


def test_objects_are_whole_and_apart(some):
    grid = torch.arange(32) + 0.5
    for k in range(MOST):
        mask = some.instances == k + 1
        there = mask.flatten(1).any(1)
        for values, column in ((mask.any(2), 0), (mask.any(1), 1)):
            reach = ((values * (grid - some.objects[:, k, column, None]).abs()).amax(1) - some.objects[:, k, 2])[there]
            assert (reach <= 0).all()
        low, high = (
            (some.objects[:, k, :2] - some.objects[:, k, 2:3])[there],
            (some.objects[:, k, :2] + some.objects[:, k, 2:3])[there],
        )
        assert (low >= 0).all() and (high <= 32).all()
    pairs = torch.cdist(some.objects[..., :2], some.objects[..., :2]) - some.objects[..., 2, None] - some.objects[:, None, :, 2]
    assert (pairs[:, *torch.triu_indices(MOST, MOST, 1)].nan_to_num(1.0) >= -1e-4).all()


def test_the_mean_colour_inside_a_solid_mask_is_the_word(some):
    solid = some.truth[:, COLUMN["texture"]] == 0
    inside = some.instances > 0
    mean = (some.images * inside[:, None]).flatten(2).sum(2) / inside.flatten(1).sum(1, keepdim=True) / 255
    red, green, blue = mean[solid].T
    colour = some.truth[solid, COLUMN["colour"]]
    rules = [
        red > 2 * green,
        green > 2 * red,
        blue > 2 * red,
        blue < 0.5 * green,
        (red > 1.5 * green) & (blue > 1.5 * green),
        blue > 0.7,
    ]
    for number, rule in enumerate(rules):
        assert rule[colour == number].all(), ATTRIBUTES["colour"][number]
