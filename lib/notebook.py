"""Widgets: the only module that knows ipywidgets. What they show is drawn by lib.explore from stored tables."""

from collections.abc import Callable

import ipywidgets as widgets
import pandas as pd

from lib import explore


def choice(label: str, options: list) -> widgets.SelectMultiple:
    """Return a list of which any number may be chosen, all at first."""
    return widgets.SelectMultiple(options=options, value=options, rows=min(6, len(options)), description=label)


def shown(draw: Callable[..., str], controls: dict[str, widgets.ValueWidget]) -> widgets.Box:
    """Return the controls beside a picture that draw(**values of the controls) gives again whenever one of them changes."""
    picture = widgets.HTML()

    def redraw(_: dict | None = None) -> None:
        picture.value = draw(**{name: control.value for name, control in controls.items()})

    for control in controls.values():
        control.observe(redraw, "value")
    redraw()
    return widgets.HBox([widgets.VBox(list(controls.values())), picture])


def plane_explorer(table: pd.DataFrame) -> widgets.Box:
    """Return the information plane of one run with a slider over its epochs, and lists of layers and seeds.

    table: columns epoch, layer, seed, mi_xt, mi_ty (nats) of one run and one estimator, and their names.
    """
    epochs = sorted(table.epoch.unique().tolist())
    controls = {
        "epoch": widgets.SelectionSlider(options=epochs, value=epochs[-1], description="epoch"),
        "layers": choice("layers", sorted(table.layer.unique().tolist())),
        "seeds": choice("seeds", sorted(table.seed.unique().tolist())),
    }
    return shown(lambda **values: explore.plane(table, **values), controls)


def capacity_explorer(table: pd.DataFrame) -> widgets.Box:
    """Return capacity against performance of one run with a slider over a range of beta, and lists of methods and seeds.

    table: columns method, beta, seed, capacity, performance of one run, and its name.
    """
    betas = sorted(table.beta.unique().tolist())
    controls = {
        "betas": widgets.SelectionRangeSlider(options=betas, value=(betas[0], betas[-1]), description="beta"),
        "methods": choice("methods", list(dict.fromkeys(table.method))),
        "seeds": choice("seeds", sorted(table.seed.unique().tolist())),
    }
    return shown(lambda **values: explore.capacity(table, **values), controls)


def explorer(tables: dict[str, pd.DataFrame], panel: Callable[[pd.DataFrame], widgets.Box], label: str) -> widgets.Box:
    """Return a menu of tables above the panel of the one that is chosen."""
    menu, place = widgets.Dropdown(options=list(tables), description=label), widgets.Box()

    def open_panel(_: dict | None = None) -> None:
        place.children = (panel(tables[menu.value]),)

    menu.observe(open_panel, "value")
    open_panel()
    return widgets.VBox([menu, place])
