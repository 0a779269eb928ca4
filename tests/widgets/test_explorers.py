"""Sliders, menus and buttons redraw what they stand for."""

from lib.widgets import concept_model, explorers
from tests.widgets.samples import codes, data_of_pixels, dots, paths, probe, three


def test_sliders_redraw_pairs_and_modes(waves):
    panel = explorers.trust_explorer(three())
    (level, column), picture = panel.children[0].children, panel.children[1]
    assert "3 of 3 pairs" in picture.value and list(column.options) == [0, 1]
    level.value = level.options[0][1]
    assert "1 of 3 pairs" in picture.value
    film, shown = explorers.mode_explorer(waves).children
    pair, phase = shown.children[0].children
    before = shown.children[1].value
    phase.value = 6
    assert shown.children[1].value != before and film.max == phase.max == 23
    pair.value = pair.options[1]
    assert f"pair {pair.options[1]}:" in shown.children[1].value


def picture(panel):
    return panel.children[1].value


def test_a_slider_redraws_the_plane():
    panel = explorers.plane_explorer(paths())
    slider, layers, seeds = panel.children[0].children
    assert slider.value == 40 and len(dots(picture(panel))) == 100
    slider.value = 3
    assert all(title.endswith("epoch 3") for *_, title in dots(picture(panel)))
    layers.value, seeds.value = (4,), (1, 2)
    assert len(dots(picture(panel))) == 2


def test_a_range_of_betas_redraws_capacity():
    panel = explorers.capacity_explorer(codes())
    betas, methods, _ = panel.children[0].children
    betas.value = (0.0, 0.0)
    methods.value = ("vib",)
    assert [title for *_, title in dots(picture(panel))] == [f"vib, beta 0, seed {s}, diabetes" for s in (0, 1)]


def test_the_menu_changes_the_table():
    tables = {"tanh": paths(), "small": paths(epochs=2, layers=1, seeds=1)}
    whole = explorers.explorer(tables, explorers.plane_explorer, "run")
    menu, place = whole.children
    menu.value = "small"
    assert len(dots(picture(place.children[0]))) == 1


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
