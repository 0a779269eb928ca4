"""Widgets that run things: a form for a notebook's parameters, a button with progress, tables, and how every stage stands.

Beside lib.widgets.explorers the only module that knows ipywidgets.
"""

import html
import json
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ipywidgets as widgets
import pandas as pd

from lib.widgets.explorers import shown
from lib.workbook import runs, status
from lib.workbook.parameters import Field, allowed, fields, literal

Counted = Callable[[], tuple[int, int]]  # how much is done, and how much there is
Task = Callable[[], tuple[list[str], Counted]]
AS_IS = ("as it is", "")  # a menu shows None as no choice at all
POLL = 0.2  # seconds between two looks at a notebook that runs


def entry(asked: Field) -> widgets.ValueWidget:
    """Return the control of one parameter: a slider where it has a range, a menu where it has choices, a line otherwise."""
    look = {"description": asked.name, "tooltip": asked.note, "style": {"description_width": "7em"}, "value": asked.default}
    if asked.choices:
        return widgets.Dropdown(options=asked.choices, **look)
    if isinstance(asked.default, bool):
        return widgets.Checkbox(**look)
    number = isinstance(asked.default, int | float)
    if number and asked.low is None:
        return (widgets.IntText if isinstance(asked.default, int) else widgets.FloatText)(**look)
    if number and isinstance(asked.default, int):
        return widgets.IntSlider(min=int(asked.low), max=int(asked.high), continuous_update=False, **look)
    if number and asked.log:
        return widgets.FloatLogSlider(min=math.log10(asked.low), max=math.log10(asked.high), readout_format=".3g", **look)
    if number:
        return widgets.FloatSlider(min=asked.low, max=asked.high, step=(asked.high - asked.low) / 200, **look)
    return widgets.Text(**look | {"value": asked.default if isinstance(asked.default, str) else repr(asked.default)})


def progress(path: Path) -> tuple[int, int]:
    """Return how many cells of a notebook that papermill runs have ended, and how many there are; (0, 0) before it begins."""
    try:
        cells = json.loads(path.read_text())["cells"]
    except (OSError, ValueError):  # not there yet, or being written
        return 0, 0
    return sum(cell["metadata"].get("papermill", {}).get("status") == "completed" for cell in cells), len(cells)


def executed(name: str) -> Counted:
    """Return what counts the cells of a notebook that is about to run, and will grow at a place in the repository."""
    path = runs.at(name)
    path.unlink(missing_ok=True)
    return lambda: progress(path)


def runner(task: Task, *, after: Callable[[], None] = lambda: None, bar: widgets.IntProgress | None = None) -> widgets.Box:
    """Return buttons that run a module of this repository and stop it, with a bar.

    task() gives `python -m` arguments and what counts how much is done and will be; what it raises is shown, as are the
    last lines of a run that failed.
    """
    run, stop = widgets.Button(description="Run", button_style="primary"), widgets.Button(description="Stop", disabled=True)
    bar, said, held = bar or widgets.IntProgress(min=0, max=1), widgets.HTML(), []

    def show(text: str) -> None:
        said.value = f"<pre>{html.escape(text)}</pre>"

    def work(process: subprocess.Popen, counted: Counted) -> None:
        out, ended = [], threading.Event()
        threading.Thread(target=lambda: (out.append(process.communicate()[0]), ended.set()), daemon=True).start()
        trouble = ""
        while not ended.wait(POLL):
            try:
                done, count = counted()
            except (OSError, ValueError) as error:  # the run itself goes on
                trouble = f"\nhow far it had come is not known: {error}"
                continue
            bar.max = max(bar.max, count)  # first, as it bounds the value
            bar.value = max(bar.value, done)
        good = process.returncode == 0
        bar.bar_style, bar.value = ("success", bar.max) if good else ("danger", bar.value)
        stopped = "stopped" if process.returncode < 0 else "failed"
        show(("finished\n" if good else f"{stopped}\n") + "\n".join(out[0].strip().splitlines()[-6:]) + trouble)
        run.disabled, stop.disabled = False, True
        after()

    def start(_: widgets.Button) -> None:
        own = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        options = {"cwd": runs.ROOT, "env": own, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        try:
            arguments, counted = task()
            held[:] = [subprocess.Popen([sys.executable, "-m", *arguments], **options)]
        except (OSError, ValueError) as error:
            return show(str(error))
        bar.value, bar.max, bar.bar_style, run.disabled, stop.disabled = 0, 1, "", True, False
        show("running")
        threading.Thread(target=work, args=(held[0], counted), daemon=True).start()
        return None

    run.on_click(start)
    stop.on_click(lambda _: held[0].terminate())
    return widgets.VBox([widgets.HBox([run, stop, bar]), said])


def form(name: str) -> widgets.Box:
    """Return a form made from the parameters cell of a notebook, by its name under notebooks/, and a button that tries it.

    A try writes to a folder of its own in build/scratch, whatever `out` is, and leaves no result.
    """
    asked = [one for one in fields(runs.at(f"notebooks/{name}.ipynb")) if one.name != "out"]
    controls = [entry(one) for one in asked]

    def task() -> tuple[list[str], Counted]:
        values = {one.name: given(one, control.value) for one, control in zip(asked, controls, strict=True)}
        place = runs.numbered(f"build/scratch/{name}")
        return ["pipelines.attempt", name, json.dumps(values), "--place", place], executed(f"{place}.ipynb")

    return widgets.VBox([*controls, runner(task)])


def given(asked: Field, value: object) -> object:
    """Return what a control says for its parameter."""
    return literal(asked, value) if isinstance(asked.default, list | dict) else allowed(asked, value)


def results(read: Callable[[], pd.DataFrame], *, rows: int = 40, also: Sequence = ()) -> widgets.Box:
    """Return a table with a menu of columns to sort by, and a line of conditions that filters its rows (status.picked).

    read() gives the table, again whenever a control changes, or one of the widgets that `also` names.
    """
    wide = {"continuous_update": False, "placeholder": "beta <= 0.1, status = done", "description": "where"}
    controls = {
        "by": widgets.Dropdown(options=[AS_IS], description="sort by"),
        "falling": widgets.Checkbox(description="largest first"),
        "where": widgets.Text(**wide),
    }

    def draw(**asked: object) -> str:
        try:
            table = read()
        except (OSError, ValueError) as error:  # what a widget raises nobody sees
            return f"<pre>{html.escape(str(error))}</pre>"
        if not len(table):
            return "<p>no row yet</p>"
        options = (AS_IS, *((str(name), name) for name in table))
        if options != controls["by"].options:
            controls["by"].options = options
            asked["by"] = ""
        try:
            found = status.picked(table, **asked | {"by": asked["by"] or None})
        except ValueError as error:
            return f"<pre>{html.escape(str(error))}</pre>"
        told = f"<p>{len(found)} of {len(table)} rows{f', the first {rows}' if len(found) > rows else ''}</p>"
        return told + found.head(rows).to_html(index=False, na_rep="", float_format="{:.4g}".format, border=0)

    return shown(draw, controls, also=also)


def sweeper() -> widgets.Box:
    """Return a menu of the sweeps in pipelines/sweeps, buttons that run one and stop it, and its table, which grows meanwhile.

    What was stopped goes on where it was when it is run again.
    """
    names = sorted(path.stem for path in runs.at("pipelines/sweeps").glob("*.yaml"))
    menu, bar = widgets.Dropdown(options=names, description="sweep"), widgets.IntProgress(min=0, max=1)

    def come() -> tuple[pd.DataFrame, int]:
        return status.points(runs.ROOT, menu.value) if status.begun(runs.ROOT, menu.value) else (pd.DataFrame(), 0)

    def counted() -> tuple[int, int]:
        table, count = come()
        return len(table), count

    def task() -> tuple[list[str], Counted]:
        return ["pipelines.sweep", f"pipelines/sweeps/{menu.value}.yaml"], counted

    return widgets.VBox([menu, runner(task, bar=bar), results(lambda: come()[0], also=[menu, bar])])


def launcher() -> widgets.Box:
    """Return every stage and how it stands, sweeps that were begun, and buttons that run one stage with what it needs."""
    try:
        notebooks = status.stages(runs.ROOT)
    except ValueError as error:
        return widgets.VBox([widgets.HTML(f"<pre>{html.escape(str(error))}</pre>")])
    menu, place = widgets.Dropdown(options=list(notebooks), description="stage"), widgets.VBox()
    refresh = widgets.Button(description="Refresh")

    def look(_: object = None) -> None:
        tables, said = [], []
        try:
            changed = status.changed(runs.ROOT)
        except ValueError as error:
            changed, said = None, [str(error)]
        for table in (partial(status.standing, runs.ROOT, changed), partial(status.sweeps, runs.ROOT)):
            try:
                tables.append(table())
            except ValueError as error:
                said.append(str(error))
        told = [widgets.HTML(f"<pre>{html.escape(text)}</pre>") for text in said]
        place.children = [*told, *(results(partial(pd.DataFrame, table), rows=200) for table in tables if len(table))]

    def task() -> tuple[list[str], Counted]:
        return ["dvc", "repro", menu.value], executed(f"build/partial/{notebooks[menu.value]}.ipynb")

    refresh.on_click(look)
    look()
    return widgets.VBox([widgets.HBox([menu, refresh]), runner(task, after=look), place])
