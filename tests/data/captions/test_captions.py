"""Captioned scenes are what their truth says: areas, places, frequencies, words."""

import math
import re

import pytest
import torch

from lib.data.captions.attributes import ATTRIBUTES, COLUMN, attributes, draw, favourite, held
from lib.data.captions.card import card
from lib.data.captions.clips import MOVES, clips
from lib.data.captions.scenes import MOST, render, scenes
from lib.data.captions.sentences import OMITTED, OPENERS, THINGS, WORDS, captions
from lib.data.captions.shapes import ARM, OUTLINES, RING, STAR

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


@pytest.mark.parametrize("draw_outline", OUTLINES, ids=ATTRIBUTES["shape"])
def test_outlines_change_by_the_distance_across_their_edge(draw_outline):
    """The gradient of F has length 1 wherever it is close to the edge, so that a soft edge is one pixel wide."""
    x, y = (
        (torch.rand(2, 20_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 12 - 6)
        .requires_grad_()
        .unbind()
    )
    f = draw_outline(x, y, torch.tensor(5.0, dtype=torch.float64))
    gx, gy = torch.autograd.grad(f.sum(), (x, y))
    near = (f.abs() < 0.3) & (torch.hypot(x, y) < 5)
    assert near.sum() > 300
    assert torch.hypot(gx, gy)[near].quantile(torch.tensor([0.02, 0.98], dtype=torch.float64)).tolist() == pytest.approx(
        [1, 1], abs=1e-6
    )


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


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.95, 1.0])
def test_the_knob_ties_the_background_to_the_shape(rho):
    truth = draw(20_000, rho=rho, seed=3)
    share = (truth[:, COLUMN["background"]] == favourite(truth[:, 0])).double().mean()
    p = rho + (1 - rho) / 4
    assert share == pytest.approx(p, abs=4 * math.sqrt(p * (1 - p) / 20_000) + 1e-12)


def test_training_sees_every_pair_but_no_combination_held_out():
    seen, out = (draw(20_000, part=part, seed=4)[:, :3] for part in ("seen", "held"))
    triples = lambda z: set(map(tuple, z.tolist()))  # noqa: E731
    assert len(triples(seen)) == 90 and len(triples(out)) == 18 and not triples(seen) & triples(out)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        pairs = {(t[a], t[b]) for t in triples(seen)}
        assert len(pairs) == len(ATTRIBUTES[list(ATTRIBUTES)[a]]) * len(ATTRIBUTES[list(ATTRIBUTES)[b]])
    assert held(draw(5000, part="all", seed=0)).double().mean() == pytest.approx(1 / 6, abs=0.022)


def test_counts_come_as_often_as_stated_and_several_have_no_place():
    truth = draw(20_000, seed=5)
    count = truth[:, COLUMN["count"]]
    assert (count.bincount() / 20_000).tolist() == pytest.approx([0.6, 0.2, 0.2], abs=0.014)
    assert torch.equal(truth[:, COLUMN["place"]] < 0, count > 0)


def test_the_same_seed_gives_the_same_bytes_and_another_gives_others():
    first, second, other = (scenes(300, rho=0.5, seed=seed) for seed in (7, 7, 8))
    assert all(a.numpy().tobytes() == b.numpy().tobytes() for a, b in zip(first, second, strict=True))
    assert not torch.equal(first.images, other.images)
    assert captions(first.truth, seed=7).texts == captions(second.truth, seed=7).texts


def readings():
    """What each phrase says: phrase -> (attribute, value), longest first, plurals among them."""
    found = {}
    for name, values in WORDS.items():
        for value, words in enumerate(values):
            for word in words:
                for form in {word, *([f"{word}s", f"{word}es"] if name == "shape" else [])}:
                    assert form not in found, f"{form!r} has two meanings"
                    found[form] = (name, value)
    return sorted(found.items(), key=lambda item: -len(item[0]))


def read_back(text, phrases):
    """The attributes that a caption states, and the words that state nothing."""
    said = {}
    for phrase, (name, value) in phrases:
        text, times = re.subn(rf"\b{phrase}\b", " ", text)
        if times:
            assert name not in said and times == 1, f"{name} is said twice"
            said[name] = value
    return said, text.split()


def test_captions_say_only_what_is_true_and_say_what_they_claim_to():
    truth = draw(800, part="all", seed=9)
    written, phrases = captions(truth, each=3, seed=9), readings()
    silent = {*" ".join(OPENERS).split(), "some", *THINGS, *(f"{thing}s" for thing in THINGS)}
    for row, texts, flags in zip(truth.tolist(), written.texts, written.said.tolist(), strict=True):
        for text, flag in zip(texts, flags, strict=True):
            said, rest = read_back(text, phrases)
            assert said == {name: row[i] for i, name in enumerate(ATTRIBUTES) if flag[i]}, text
            assert set(rest) <= silent, text


def test_attributes_are_left_out_as_often_as_stated():
    truth = draw(5000, seed=10)
    said = captions(truth, each=4, seed=10).said
    for name, rate in OMITTED.items():
        there = truth[:, COLUMN[name]] >= 0
        assert 1 - said[there][:, :, COLUMN[name]].double().mean() == pytest.approx(rate, abs=0.016)
    assert not said[truth[:, COLUMN["place"]] < 0][..., COLUMN["place"]].any()


def test_a_clip_moves_its_object_and_nothing_else():
    film = clips(40, frames=5, seed=0)
    assert film.images.shape == (40, 5, 3, 32, 32) and film.instances.shape == (40, 5, 32, 32)
    steps = film.objects[:, 1:, :2] - film.objects[:, :-1, :2]
    assert (
        torch.allclose(steps, steps[:, :1].expand_as(steps), atol=1e-4)
        and (film.objects[:, 0, 2:] == film.objects[:, -1, 2:]).all()
    )
    axis, sign = steps[:, 0].abs().argmax(1), steps[:, 0].sum(1) > 0
    assert [MOVES[i] for i in film.move] == [
        ("up", "down", "left", "right")[2 * a + s] for a, s in zip(axis.tolist(), sign.tolist(), strict=True)
    ]
    assert set(film.move.tolist()) == {0, 1, 2, 3} and (steps[:, 0].abs().amin(1) == 0).all()
    far = torch.nn.functional.max_pool2d((film.instances > 0).float(), 7, 1, 3) == 0  # even a star's soft tip ends there
    still = (far[:, 1:] & far[:, :-1])[:, :, None]
    assert (film.images[:, 1:] == film.images[:, :-1])[still.expand(-1, -1, 3, -1, -1)].all()
    rows = torch.arange(32) + 0.5
    middle = (film.instances.sum(3) * rows).sum(2) / film.instances.flatten(2).sum(2)
    assert (middle - film.objects[..., 0]).abs().max() < 1


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"rho must be in \[0, 1\], got 1.5"):
        draw(3, rho=1.5, seed=0)
    with pytest.raises(ValueError, match="part must be one of seen, held, all, got 'test'"):
        draw(3, part="test", seed=0)
    with pytest.raises(ValueError, match="n must be a whole number >= 1, got 0"):
        scenes(0, seed=0)
    with pytest.raises(ValueError, match="size must be a whole number >= 16, got 8"):
        scenes(1, size=8, seed=0)
    with pytest.raises(ValueError, match="frames must be a whole number >= 2, got 1"):
        clips(1, frames=1, seed=0)
    with pytest.raises(ValueError, match="seed must be a whole number >= 0, got -1"):
        scenes(1, seed=-1)
    good = draw(4, seed=0)
    with pytest.raises(ValueError, match=r"truth must be int64 of shape \(n, 7\), got \(4, 6\); `draw` gives such rows"):
        attributes(good[:, :6])
    with pytest.raises(ValueError, match=r"truth must be int64 .* got list"):
        captions(good.tolist(), seed=0)
    wrong = good.clone()
    wrong[0, 1] = 6
    with pytest.raises(ValueError, match="colour must be between 0 and 5, got 6; it counts red, green"):
        render(wrong, seed=0)
    nowhere = good.clone()
    nowhere[:, COLUMN["count"]], nowhere[:, COLUMN["place"]] = 0, -1
    with pytest.raises(ValueError, match="a scene of one object needs a place"):
        render(nowhere, seed=0)


def test_the_card_counts_what_is_there():
    scene = scenes(200, part="held", seed=1)
    written = captions(scene.truth, each=2, seed=1)
    text = card(scene, written)
    different = len({sentence for row in written.texts for sentence in row})
    assert f"200 pictures, 2 captions of each, {different} of them different" in text
    assert (
        f"{len(set(map(tuple, scene.truth[:, :3].tolist())))} combinations of shape, colour and texture, 200 pictures" in text
    )
    single = scene.truth[:, COLUMN["count"]] == 0
    silent = 1 - written.said[single][:, :, COLUMN["place"]].double().mean()
    assert f"place {silent:.0%}" in text
