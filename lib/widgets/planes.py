"""Views of stored tables that redraw while a slider moves: an empty frame is drawn once, then only its points."""

from collections.abc import Iterable

import pandas as pd

from lib.widgets.svg import colour, drawn, frame, spanned


def plane(table: pd.DataFrame, *, epoch: int, layers: Iterable[int], seeds: Iterable[int]) -> str:
    """Return the information plane of one run and estimator at one epoch as SVG: a dot for each layer and seed.

    table: columns run, estimator, epoch, layer, seed, mi_xt, mi_ty in nats. The frame holds every epoch, so it stands still.
    """
    made = frame(spanned(table.mi_xt), spanned(table.mi_ty), "I(X;T) in nats", "I(T;Y) in nats")
    now = table[(table.epoch == epoch) & table.layer.isin(list(layers)) & table.seed.isin(list(seeds))]
    marks = []
    for row in now.itertuples():
        title = f"{row.run}, layer {row.layer}, seed {row.seed}, epoch {row.epoch}"
        marks.append((row.mi_xt, row.mi_ty, colour(row.layer - 1), title))
    return drawn(made, marks, {f"layer {layer}": colour(layer - 1) for layer in sorted(now.layer.unique())})


def capacity(table: pd.DataFrame, *, methods: Iterable[str], betas: tuple[float, float], seeds: Iterable[int]) -> str:
    """Return capacity of the code against test score as SVG: a dot for each method, beta in the range, and seed.

    table: columns run, method, beta, seed, capacity, performance. The frame holds every beta, so it stands still.
    """
    made = frame(spanned(table.capacity), spanned(table.performance), "dependence of code and input", "test score")
    names = list(dict.fromkeys(table.method))
    now = table[table.method.isin(list(methods)) & table.beta.between(*betas) & table.seed.isin(list(seeds))]
    marks = []
    for row in now.itertuples():
        title = f"{row.method}, beta {row.beta:g}, seed {row.seed}, {row.run}"
        marks.append((row.capacity, row.performance, colour(names.index(row.method)), title))
    return drawn(made, marks, {name: colour(names.index(name)) for name in names if name in set(now.method)})
