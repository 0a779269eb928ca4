"""Widgets that explore. What they show is drawn by planes, eigenpairs and concept_model; launch has those that run."""

import math
from collections.abc import Callable, Sequence

import ipywidgets as widgets
import pandas as pd

from lib.koopman.modes import Pieces
from lib.widgets import concept_model, eigenpairs, planes


def choice(label: str, options: list) -> widgets.SelectMultiple:
    """Return a list of which any number may be chosen, all at first."""
    return widgets.SelectMultiple(options=options, value=options, rows=min(6, len(options)), description=label)


def shown(draw: Callable[..., str], controls: dict[str, widgets.ValueWidget], *, also: Sequence = ()) -> widgets.Box:
    """Return the controls beside a picture that draw(**values of the controls) gives again whenever one of them changes.

    also: widgets that stand elsewhere, whose change of value has it drawn again too.
    """
    picture = widgets.HTML()

    def redraw(_: dict | None = None) -> None:
        picture.value = draw(**{name: control.value for name, control in controls.items()})

    for control in (*controls.values(), *also):
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
    return shown(lambda **values: planes.plane(table, **values), controls)


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
    return shown(lambda **values: planes.capacity(table, **values), controls)


def explorer(tables: dict[str, pd.DataFrame], panel: Callable[[pd.DataFrame], widgets.Box], label: str) -> widgets.Box:
    """Return a menu of tables above the panel of the one that is chosen."""
    menu, place = widgets.Dropdown(options=list(tables), description=label), widgets.Box()

    def open_panel(_: dict | None = None) -> None:
        place.children = (panel(tables[menu.value]),)

    menu.observe(open_panel, "value")
    open_panel()
    return widgets.VBox([menu, place])


def trust_explorer(pieces: Pieces) -> widgets.Box:
    """Return the eigenvalues and the forecast of a linear model with a slider over the residual that a pair may have."""
    levels = [(f"{level:.1e}", level) for level in eigenpairs.thresholds(pieces)]
    controls = {
        "at_most": widgets.SelectionSlider(options=levels, value=levels[-1][1], description="residual"),
        "column": widgets.Dropdown(options=eigenpairs.columns(pieces), description="number"),
    }
    return shown(lambda **values: eigenpairs.trusted(pieces, **values), controls)


def mode_explorer(pieces: Pieces, phases: int = 24) -> widgets.Box:
    """Return the modes of a field with a menu of pairs, and a slider over the phase that plays as a film."""
    slider = widgets.IntSlider(min=0, max=phases - 1, description="phase")
    film = widgets.Play(min=0, max=phases - 1, interval=120, repeat=True)
    widgets.jslink((film, "value"), (slider, "value"))
    pair = widgets.Dropdown(options=eigenpairs.turning(pieces), description="pair")

    def draw(pair: int, phase: int) -> str:
        return eigenpairs.mode(pieces, pair=pair, phase=2 * math.pi * phase / phases)

    return widgets.VBox([film, shown(draw, {"pair": pair, "phase": slider})])


def reason_explorer(found: concept_model.Seen) -> widgets.Box:
    """Return why a picture was given its class, with menus of pictures and of the concept whose map is shown."""
    controls = {
        "picture": pictures(found),
        "concept": widgets.Dropdown(options=found.model.concepts, value=concept_model.leading(found, 0), description="map of"),
    }
    return widgets.VBox(shown(lambda **values: concept_model.reasons(found, **values), controls).children)


def pictures(found: concept_model.Seen) -> widgets.Dropdown:
    """Return a menu of pictures, by what they are and what they are read as."""
    return widgets.Dropdown(options=concept_model.titles(found), description="picture", layout={"width": "420px"})


def correction_explorer(found: concept_model.Seen) -> widgets.Box:
    """Return the classes of a picture below a button for each concept in use, which says it there, absent, or nothing.

    What was said is forgotten when another picture is chosen.
    """
    menu = pictures(found)
    drawn, said = widgets.HTML(), {}
    buttons = {name: widgets.Button(description=name, tooltip=name) for name in concept_model.used(found)}

    def redraw() -> None:
        for name, button in buttons.items():
            button.description = name if name not in said else f"{name}: {'there' if said[name] else 'absent'}"
            button.button_style = {None: "", True: "success", False: "danger"}[said.get(name)]
        drawn.value = concept_model.corrected(found, picture=menu.value, said=said)

    def turn(button: widgets.Button) -> None:
        name = button.tooltip
        if name not in said:
            said[name] = True
        elif said[name]:
            said[name] = False
        else:
            del said[name]
        redraw()

    def forget(_: dict) -> None:
        said.clear()
        redraw()

    for button in buttons.values():
        button.on_click(turn)
    menu.observe(forget, "value")
    redraw()
    return widgets.VBox([menu, widgets.Box(list(buttons.values()), layout={"flex_flow": "row wrap"}), drawn])


def gallery_explorer(found: concept_model.Units) -> widgets.Box:
    """Return the pictures on which a discovered unit fires most, with a menu of units by name."""
    options = [(f"{i}: {name}", i) for i, name in enumerate(found.names)]
    controls = {"unit": widgets.Dropdown(options=options, description="unit")}
    return widgets.VBox(shown(lambda **values: concept_model.fired(found, **values), controls).children)
