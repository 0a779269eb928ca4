"""Views of a concept model: bars are its contributions, pictures are those that were given."""

import base64
import io
import re
import time

import numpy as np
import pytest
import torch
from PIL import Image

from lib.concepts.bottleneck import model_of
from lib.core.types import Words
from lib.widgets import concept_model
from tests.widgets.samples import data_of_pixels, probe


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
