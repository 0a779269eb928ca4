"""The explorer in JupyterLab, in a real browser: a slider moves, and the figure follows."""

import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.pipelines.test_lab import server
from tests.pipelines.test_report import CHROMIUM, browser

pytestmark = pytest.mark.programs


@contextmanager
def opened(notebook, root, home, *, panels="svg"):
    """A notebook of a working copy, open and run, once two of its panels are drawn."""
    with server(root.resolve(), home) as (address, token), sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 3600})
        page.goto(f"{address}/lab/tree/notebooks/{notebook}.ipynb?token={token}")
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        expect(page.get_by_text(re.compile(r"Python 3.*\| Idle")).first).to_be_visible(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.locator(f".jupyter-widgets {panels}").nth(1).wait_for(timeout=90_000)
        yield page
        chromium.close()


@pytest.fixture(scope="module")
def page(workbook, tmp_path_factory):
    """The explorer of runs."""
    with opened("explore/runs", workbook, tmp_path_factory.mktemp("home")) as page:
        yield page


def titles(page, panel: int) -> list[str]:
    return page.locator(".jupyter-widgets svg").nth(panel).locator("circle title").all_text_contents()


@browser
def test_a_slider_moves_the_figure(page):
    before = titles(page, 0)
    last = re.search(r"epoch (\d+)", before[0])[1]
    assert before and all(title.endswith(f"epoch {last}") for title in before)
    handle = page.locator(".jupyter-widgets .noUi-handle").first
    handle.focus()
    handle.press("ArrowLeft")
    moved = page.locator(".jupyter-widgets svg").first.locator("circle title")
    expect(moved.first).not_to_have_text(before[0], timeout=10_000)
    assert len({re.search(r"epoch (\d+)", title)[1] for title in titles(page, 0)}) == 1
    assert int(re.search(r"epoch (\d+)", titles(page, 0)[0])[1]) < int(last)


@browser
def test_layers_are_chosen_from_a_list(page):
    page.locator(".jupyter-widgets select[multiple]").first.select_option("2")
    circles = page.locator(".jupyter-widgets svg").first.locator("circle title")
    expect(circles.filter(has_text="layer 1,")).to_have_count(0, timeout=10_000)
    assert titles(page, 0) and all("layer 2," in title for title in titles(page, 0))


@browser
def test_a_dot_tells_its_run(page):
    page.locator(".jupyter-widgets svg").nth(1).locator("circle").first.hover()
    assert re.search(r"\w+, beta [\d.e-]+, seed \d, diabetes", titles(page, 1)[0])
