"""Linear models taken apart in JupyterLab, in a real browser: a threshold drops eigenpairs, a mode is a film."""

import re

import pytest
from playwright.sync_api import expect

from tests.pipelines.test_report import browser
from tests.widgets.browser.test_explorer import opened

pytestmark = pytest.mark.programs


@pytest.fixture(scope="module")
def models(workbook, tmp_path_factory):
    """The notebook that takes linear models apart."""
    with opened("explore/koopman", workbook, tmp_path_factory.mktemp("home")) as page:
        yield page


@browser
def test_a_threshold_drops_eigenpairs_and_changes_the_forecast(models):
    told = models.locator(".jupyter-widgets svg text").filter(has_text=re.compile(r"\d+ of \d+ pairs")).first
    before = told.text_content()
    kept, of = map(int, re.search(r"(\d+) of (\d+) pairs", before).groups())
    assert kept == of
    handle = models.locator(".jupyter-widgets .noUi-handle").first
    handle.focus()
    handle.press("ArrowLeft")
    expect(told).not_to_have_text(before, timeout=10_000)
    assert int(re.search(r"(\d+) of", told.text_content())[1]) < of


@browser
def test_a_mode_is_a_film_over_its_phase(models):
    picture = models.locator(".jupyter-widgets svg image").first
    before = picture.get_attribute("href")
    handle = models.locator(".jupyter-widgets .noUi-handle").last
    handle.focus()
    handle.press("ArrowRight")
    expect(picture).not_to_have_attribute("href", before, timeout=10_000)
