"""A concept model in JupyterLab, in a real browser: menus change reasons and units, a click on a concept is a correction."""

import re

import pytest
from playwright.sync_api import expect

from tests.pipelines.test_report import browser
from tests.widgets.browser.test_explorer import opened

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def asked(workbook, tmp_path_factory):
    """The notebook that asks a concept model why; its three panels are drawn."""
    with opened("explore/concepts", workbook, tmp_path_factory.mktemp("home")) as page:
        page.locator(".jupyter-widgets svg").nth(2).wait_for(timeout=60_000)
        yield page


@browser
def test_a_menu_shows_where_another_concept_comes_from(asked):
    panel = asked.locator(".jupyter-widgets svg").first
    label, before = panel.locator("text").filter(has_text="map:"), panel.locator("image").nth(1).get_attribute("href")
    concept = asked.locator(".jupyter-widgets select").nth(1)
    other = next(name for name in ("red", "star") if not label.text_content().endswith(name))
    concept.select_option(label=other)
    expect(label).to_have_text(f"map: {other}", timeout=10_000)
    assert panel.locator("image").nth(1).get_attribute("href") != before, "the map is that of the former concept"
    assert 2 <= panel.locator("rect").count() <= 9, "up to eight reasons and what is left"


@browser
def test_a_click_on_a_concept_is_a_correction(asked):
    panel = asked.locator(".jupyter-widgets svg").nth(1)
    button, titles = asked.locator("button.jupyter-button").first, panel.locator("rect title")
    name, before = button.text_content(), titles.all_text_contents()
    button.click()
    expect(button).to_have_text(f"{name}: there", timeout=10_000)
    expect(titles).not_to_have_text(before, timeout=10_000)  # the panel is drawn after the button
    there = titles.all_text_contents()
    button.click()
    expect(button).to_have_text(f"{name}: absent", timeout=10_000)
    expect(titles).not_to_have_text(there, timeout=10_000)
    absent = titles.all_text_contents()
    assert len({tuple(sorted(read)) for read in (before, there, absent)}) == 3, "the classes do not follow what is said"
    button.click()
    expect(button).to_have_text(name, timeout=10_000)
    expect(titles).to_have_text(before, timeout=10_000)
    assert re.search(r"read as \w+ \w+, corrected \w+ \w+, true \w+ \w+", panel.text_content())


@browser
def test_a_menu_shows_the_pictures_of_another_unit(asked):
    panel = asked.locator(".jupyter-widgets svg").nth(2)
    before = [image.get_attribute("href") for image in panel.locator("image").all()]
    asked.locator(".jupyter-widgets select").last.select_option(index=1)
    expect(panel.locator("text").first).to_contain_text("unit 1, called", timeout=10_000)
    assert [image.get_attribute("href") for image in panel.locator("image").all()] != before and len(before) == 6
