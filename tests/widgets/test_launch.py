"""The launcher in JupyterLab, in a real browser: stages as they stand, a form that runs a notebook, sweeps, a table to sort."""

import re
import shutil

import pandas as pd
import pytest
from playwright.sync_api import expect

from lib.workbook import runs
from tests import ROOT
from tests.pipelines.test_report import browser
from tests.toy import Toy
from tests.widgets.browser.test_explorer import opened

pytestmark = pytest.mark.programs

SWEEP = "notebook: toy\npoints:\n  list: [{epochs: 1}, {epochs: 2, mode: nan}, {epochs: 3}]\n"


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """A workbook of two runs, of which one is out of date; its notebook has a range and leaves numbers."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    toy.environment.pop("PYTHONPATH", None)
    toy.change("notebooks/toy.ipynb", "epochs = 3", "epochs = 3  # 1 to 20")
    toy.change("notebooks/toy.ipynb", "result.json", "metrics.json")
    shutil.copy(ROOT / "notebooks/launch.ipynb", toy.root / "notebooks")
    toy.change("notebooks/launch.ipynb", "sweeps/example/one_network", "toy")
    toy.change("notebooks/launch.ipynb", "runs/sweeps/smoke/table.parquet", "table.parquet")
    pd.DataFrame({"beta": [0.1, 1.0, 0.01], "method": ["vib", "nib", "vib"]}).to_parquet(toy.root / "table.parquet")
    (toy.root / "pipelines/sweeps/few.yaml").write_text(SWEEP)
    toy.run()
    toy.change("params.yaml", "epochs: 4", "epochs: 5")
    return toy


@pytest.fixture(scope="module")
def page(toy, tmp_path_factory):
    """The launcher, open and run."""
    with opened("launch", toy.root, tmp_path_factory.mktemp("home"), panels="table") as page:
        yield page
        page.screenshot(path=toy.root / "launch.png")


def status(page, stage: str):
    return page.locator(".jupyter-widgets table").first.locator("tr").filter(has_text=stage).locator("td").nth(1)


def press(page, panel: int, name: str) -> None:
    page.locator(".jupyter-widgets button").filter(has_text=re.compile(f"^{name}$")).nth(panel).click()


def said(page, panel: int):
    return page.locator(".jupyter-widgets pre").nth(panel)


def line(page, name: str):
    return (
        page.locator(".jupyter-widgets.widget-text, .jupyter-widgets.widget-inline-hbox")
        .filter(has=page.locator("label", has_text=re.compile(f"^{name}$")))
        .locator("input")
        .first
    )


@browser
def test_stages_stand_as_they_are_and_one_is_run(page, toy):
    expect(status(page, "train@a")).to_have_text("up to date")
    expect(status(page, "train@b")).to_have_text("changed")
    page.locator(".jupyter-widgets select").first.select_option("train@b")
    press(page, 0, "Run")
    expect(status(page, "train@b")).to_have_text("up to date", timeout=90_000)
    expect(said(page, 0)).to_contain_text("finished")
    assert runs.read_json(toy.root / "runs/b/metrics.json")["epochs"] == 5


@browser
def test_a_form_runs_its_notebook_and_tells_its_numbers(page, toy):
    expect(page.locator(".jupyter-widgets.widget-slider .widget-readout").first).to_have_text("3")
    handle = page.locator(".jupyter-widgets .noUi-handle").first
    handle.focus()
    handle.press("ArrowRight")
    line(page, "rate").fill("2.5")
    line(page, "rate").press("Enter")
    press(page, 1, "Run")
    expect(said(page, 1)).to_contain_text('"epochs": 4.0, "rate": 2.5', timeout=60_000)
    expect(page.locator(".jupyter-widgets .progress-bar-success")).to_have_count(2)
    assert not (toy.root / "runs/scratch").exists()
    assert any(runs.read_json(path)["rate"] == 2.5 for path in (toy.root / "build/scratch").glob("toy-*/metrics.json"))


@browser
def test_a_run_that_fails_says_why_and_one_that_runs_can_be_stopped(page):
    line(page, "seeds").fill("import os")
    line(page, "seeds").press("Enter")
    press(page, 1, "Run")
    expect(said(page, 1)).to_contain_text("seeds must be written like [0], got 'import os'")
    line(page, "seeds").fill("[0, 1]")
    line(page, "mode").fill("nan")
    line(page, "mode").press("Enter")
    press(page, 1, "Run")
    expect(said(page, 1)).to_contain_text("FloatingPointError: loss became NaN at epoch 12", timeout=60_000)
    line(page, "wait").fill("60")
    line(page, "wait").press("Enter")
    press(page, 1, "Run")
    expect(said(page, 1)).to_contain_text("running")
    press(page, 1, "Stop")
    expect(said(page, 1)).to_contain_text("stopped", timeout=20_000)


@browser
def test_a_sweep_is_run_and_its_rows_come(page, toy):
    page.locator(".jupyter-widgets select").nth(-3).select_option("few")
    press(page, 2, "Run")
    expect(said(page, 2)).to_contain_text("3 points, 1 failed", timeout=90_000)
    firsts = page.locator(".jupyter-widgets table").nth(-2).locator("tbody tr td:first-child")
    expect(firsts).to_have_text(["1", "2", "3"])
    assert len(pd.read_parquet(toy.root / "runs/other_sweeps/few/table.parquet")) == 3


@browser
def test_a_table_is_sorted_and_filtered(page):
    table = page.locator(".jupyter-widgets table").last
    firsts = table.locator("tbody tr td:first-child")
    expect(firsts).to_have_text(["0.1", "1", "0.01"])
    expect(page.locator(".jupyter-widgets select").last.locator("option:checked")).to_have_text("as it is")
    page.locator(".jupyter-widgets select").last.select_option("beta")
    expect(firsts).to_have_text(["0.01", "0.1", "1"])
    page.get_by_placeholder("beta <= 0.1").last.fill("method = vib")
    page.get_by_placeholder("beta <= 0.1").last.press("Enter")
    expect(firsts).to_have_text(["0.01", "0.1"])
    expect(page.locator(".jupyter-widgets p").last).to_have_text("2 of 3 rows")
