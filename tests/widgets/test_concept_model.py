"""Views of a concept model: bars are its contributions, a click is an intervention, pictures are those that were given."""

import base64
import io
import re
import time

import numpy as np
import pytest
import torch
from PIL import Image

from lib.concepts.bottleneck import ConceptModel, model_of
from lib.core.types import Words
from lib.data.embeddings import Embedded, Places, planted_embeddings
from lib.widgets import concept_model, explorers, svg

NAMES, CLASSES = ["red", "round", "<grass>"], ["apple", "ball"]


def model() -> ConceptModel:
    """Two classes on three concepts: red and grass speak for an apple, round for a ball."""
    weights = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]], dtype=torch.float64)
    levels = [torch.full((3,), v, dtype=torch.float64) for v in (0.5, 0.0, 1.0)]
    return ConceptModel(lambda u: u, weights, torch.zeros(2, dtype=torch.float64), NAMES, *levels)


@pytest.fixture
def found() -> concept_model.Seen:
    """Two pictures: an apple that is read right, and a ball that is read as an apple since its roundness was not seen."""
    scores = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.2, 1.0]], dtype=torch.float64)
    images = torch.arange(2 * 3 * 8 * 8).view(2, 3, 8, 8).remainder(256).to(torch.uint8)
    maps = torch.zeros(2, 3, 8, 8)
    maps[:, :, :4] = 1.0
    truth = torch.tensor([[1, 0, 1], [1, 1, 0]])
    return concept_model.Seen(model(), images, scores, maps, truth, torch.tensor([0, 1]), CLASSES)


def pixels(svg: str) -> list[np.ndarray]:
    parts = re.findall(r"base64,([^\"]+)", svg)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(part)))) for part in parts]


def drawn_bars(svg: str) -> list[tuple[str, float, str]]:
    """Title, signed length and colour of each bar."""
    found = re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)" height="\d+" fill="(#\w+)"><title>(.*?)</title>', svg)
    return [(title, float(width), colour) for _, width, colour, title in found]


def test_bars_are_contributions_and_add_up_to_the_logit(found):
    bars = drawn_bars(concept_model.reasons(found, picture=1, concept="red", most=2))
    values = {name: float(value) for name, value in (title.rsplit(" ", 1) for title, *_ in bars)}
    assert values == {"red": 1.0, "&lt;grass&gt;": 0.5, "all others": pytest.approx(1.5)}  # 2 x 1/2, 1 x 1/2, mean logit
    assert sum(values.values()) == pytest.approx(2 * 1 + 1 * 1)
    assert bars[0][1] / bars[1][1] == pytest.approx(2, rel=1e-3)
    assert [colour for *_, colour in bars] == [concept_model.THERE, concept_model.ABSENT, concept_model.GREY]
    assert len(drawn_bars(concept_model.reasons(found, picture=1, concept="red"))) == 3, "no bar for what adds nothing"
    assert "<grass>" not in concept_model.reasons(found, picture=1, concept="<grass>")


def test_a_negative_bar_ends_at_zero():
    drawn = svg.bars([("up", 1.0, "#111111"), ("down", -0.5, "#222222")], 0, 0)
    edges = [(float(x), float(w)) for x, w in re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', drawn)]
    assert edges[0][0] == pytest.approx(sum(edges[1])) and edges[0][1] == pytest.approx(2 * edges[1][1])


def test_the_map_is_red_where_the_concept_comes_from_and_blue_elsewhere(found):
    image, mixed = pixels(concept_model.reasons(found, picture=0, concept="red"))
    np.testing.assert_array_equal(image, found.images[0].movedim(0, 2).numpy())
    plain = concept_model.mapped(torch.full((3, 8, 8), 128, dtype=torch.uint8), found.maps[0, 0])
    assert (plain[0, :4] > plain[2, :4]).all() and (plain[0, 4:] < plain[2, 4:]).all()
    assert mixed.shape == (8, 8, 3)
    flat = concept_model.mapped(found.images[0], torch.ones(8, 8))
    assert flat.float().std((1, 2)).max() < 0.36 * found.images[0].float().std((1, 2)).max(), "a flat map has one colour"


def test_a_correction_is_an_intervention(found):
    svg = concept_model.corrected(found, picture=1, said={"round": True, "<grass>": False})
    assert "read as apple, corrected ball, true ball" in svg
    values = {title.rsplit(" ", 1)[1]: colour for title, _, colour in drawn_bars(svg)}
    # Logits are 3 and 0.6 as seen, and 2 and 3 as corrected.
    p, q = 1 / (1 + np.exp(0.6 - 3)), 1 / (1 + np.exp(3 - 2))
    assert set(values) == {f"{round(v, 4):.4g}" for v in (p, 1 - p, q, 1 - q)}
    assert values[f"{round(1 - q, 4):.4g}"] == concept_model.THERE and values[f"{round(p, 4):.4g}"] == concept_model.GREY
    assert "corrected apple" in concept_model.corrected(found, picture=1, said={})


def test_titles_leaders_and_concepts_in_use(found):
    assert concept_model.titles(found) == [("0: apple, read as apple", 0), ("1: ball, read as apple", 1)]
    assert concept_model.leading(found, 1) == "red" and concept_model.used(found) == ["round", "red", "<grass>"]
    with pytest.raises(ValueError, match="no concept 'blue'; the model has red, round, <grass>"):
        concept_model.reasons(found, picture=0, concept="blue")


def data_of_pixels() -> tuple[Embedded, torch.Tensor]:
    """Planted embeddings whose tokens are the embedding four times, and a picture for each, its number in its pixels."""
    data = planted_embeddings(60, seed=0)
    tokens = data.test.x[:, None, None].expand(-1, 2, 2, -1).contiguous()
    images = torch.arange(60, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4).contiguous()
    return data._replace(places=Places(tokens, torch.full((60, 12, 2), -1), (4, 4))), images


def probe(data: Embedded) -> ConceptModel:
    """Scores of the concepts themselves, and a head that is right but for noise."""
    weights = torch.eye(12, dtype=torch.float64)[:6]
    score = lambda x: x @ data.concepts.vectors.T  # noqa: E731 - a score is a function of embeddings
    return model_of(score, weights, weights.new_zeros(6), data.train.x, concepts=data.concepts.names)


def test_wrong_pictures_come_first_and_need_no_encoder():
    data, images = data_of_pixels()
    found = concept_model.seen(probe(data), data, images, most=20)
    own = found.images[:, 0, 0, 0].long()
    assert torch.equal(found.y, data.test.y[own]) and torch.equal(found.truth, data.test_truth[own])
    right = [
        title.split(": ")[1].split(", read as ")[0] == title.split(", read as ")[1] for title, _ in concept_model.titles(found)
    ]
    assert right == sorted(right) and not right[0] and right[-1]
    # Every place holds the embedding, so a map is flat and, times the width, the score's linear part.
    flat = found.maps * data.test.x.shape[1]
    assert flat.std((2, 3)).max() < 1e-6
    torch.testing.assert_close(flat[..., 0, 0].double(), found.scores, atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match=r"3 pictures for 60 embeddings with places True; give the test pictures"):
        concept_model.seen(probe(data), data, images[:3])
    with pytest.raises(ValueError, match="with places False; give the test pictures, and embed with places=True"):
        concept_model.seen(probe(data), data._replace(places=None), images)


def test_units_show_the_pictures_on_which_they_fire_most():
    data, images = data_of_pixels()
    own = Words(["ink"], data.concepts.vectors[2:3])
    one = model_of(
        lambda x: x @ own.vectors.T, torch.ones(6, 1).double(), torch.zeros(6).double(), data.train.x, concepts=own.names
    )
    found = concept_model.units(one, data, images, most=4)
    best = (data.test.x @ data.concepts.vectors[2]).argsort(descending=True)[:4]
    assert found.images[0, :, 0, 0, 0].long().tolist() == best.tolist() and found.tells == ["concept 2"]
    svg = concept_model.fired(found, unit=0)
    assert [int(p[0, 0, 0]) for p in pixels(svg)] == best.tolist() and "called 'ink'" in svg.replace("&#x27;", "'")
    rows = concept_model.gallery(found, count=3)
    assert len(pixels(rows)) == 4 and ">ink<" in rows


# Widgets.


def boxes(widget, kind) -> list:
    return [part for part in (widget, *getattr(widget, "children", ())) if isinstance(part, kind)] + [
        inner for part in getattr(widget, "children", ()) for inner in boxes(part, kind) if inner is not part
    ]


def test_a_click_says_there_then_absent_then_nothing(found):
    panel = explorers.correction_explorer(found)
    picture, button = boxes(panel, explorers.widgets.HTML)[0], boxes(panel, explorers.widgets.Button)[0]
    menu = boxes(panel, explorers.widgets.Dropdown)[0]
    menu.value = 1
    before = picture.value
    told = []
    for _ in range(3):
        button.click()
        told.append((button.description, button.button_style, picture.value))
    assert [t[:2] for t in told] == [("round: there", "success"), ("round: absent", "danger"), ("round", "")]
    assert told[0][2] == concept_model.corrected(found, picture=1, said={"round": True}) != told[1][2] and told[2][2] == before
    button.click()
    menu.value = 0
    assert button.description == "round" and picture.value == concept_model.corrected(found, picture=0, said={})


def test_menus_change_picture_map_and_unit(found):
    panel = explorers.reason_explorer(found)
    picture, (which, concept) = boxes(panel, explorers.widgets.HTML)[0], boxes(panel, explorers.widgets.Dropdown)
    assert concept.value == "red"
    which.value, concept.value = 1, "round"
    assert picture.value == concept_model.reasons(found, picture=1, concept="round")
    data, images = data_of_pixels()
    fires = concept_model.units(probe(data), data, images, count=3)
    panel = explorers.gallery_explorer(fires)
    boxes(panel, explorers.widgets.Dropdown)[0].value = 2
    assert boxes(panel, explorers.widgets.HTML)[0].value == concept_model.fired(fires, unit=2)


def test_redrawing_takes_less_than_a_tenth_of_a_second():
    data, images = data_of_pixels()
    images = images.repeat_interleave(8, 2).repeat_interleave(8, 3)
    found = concept_model.seen(probe(data), data._replace(places=data.places._replace(size=(32, 32))), images)
    concept_model.reasons(found, picture=0, concept="concept 0")
    begin = time.process_time()
    for i in range(10):
        concept_model.reasons(found, picture=i, concept="concept 1")
        concept_model.corrected(found, picture=i, said={"concept 0": True})
    assert (time.process_time() - begin) / 20 < 0.1
