"""Rises and falls of the information of layers while a network trains, and whether they come with the fall of its loss."""

import pandas as pd

from lib.experiments.lossy_compression.noisy_cnn import LAYERS
from lib.stats import episodes


def found_episodes(table: pd.DataFrame, *, window: int, deviations: float) -> pd.DataFrame:
    """Return a row (seed, layer, start, stop, change) for every episode of I(X;L); times in records, change in nats.

    table: the rows of `runs`; window, deviations: as in `episodes.found`.
    """
    rows = []
    for (seed, layer), path in table.groupby(["seed", "layer"], sort=False):
        for episode in episodes.found(path.mi_xt, window=window, deviations=deviations):
            rows.append({"seed": seed, "layer": layer} | episode._asdict())
    return pd.DataFrame(rows, columns=["seed", "layer", *episodes.Episode._fields])


def falls(table: pd.DataFrame, *, window: int) -> pd.Series:
    """Return the record after which each seed's smoothed loss falls most, by seed."""
    once = table[table.layer == LAYERS[0]].groupby("seed").loss
    return once.apply(lambda loss: episodes.steepest_fall(episodes.smooth(loss, window=window)))


def coincidences(table: pd.DataFrame, *, window: int, deviations: float) -> pd.DataFrame:
    """Return for each seed: compressions (median number over the layers), inside (share of the layers whose first compression
    holds the steepest fall of the loss), rank (`episodes.rank_of_coincidence`).

    table: the rows of `runs`.
    """
    listed, fall = found_episodes(table, window=window, deviations=deviations), falls(table, window=window)
    rows = []
    for seed, own in table.groupby("seed"):
        falling = listed[(listed.seed == seed) & (listed.change < 0)]
        first = falling.groupby("layer").first()
        counts = falling.layer.value_counts().reindex(own.layer.unique(), fill_value=0)
        inside = ((first.start <= fall[seed]) & (fall[seed] < first.stop)).sum() / len(counts)
        curves = own.pivot(index="step", columns="layer", values="mi_xt").T.to_numpy()
        loss = own[own.layer == LAYERS[0]].loss
        rank = episodes.rank_of_coincidence(curves, loss, window=window, deviations=deviations)
        rows.append({"seed": seed, "compressions": float(counts.median()), "inside": float(inside), "rank": rank})
    return pd.DataFrame(rows)
