"""What an experiment's protocol does to its numbers: selection on the test set, statistics of all splits."""

from collections.abc import Sequence
from functools import partial

import pandas as pd

from lib.bottlenecks.plain import plain_terms
from lib.core.plan import planned
from lib.core.types import Table
from lib.data import prepared
from lib.nets.stacked import Bottleneck
from lib.training.loop import Members, fit, one_device, score


def courses(table: Table, *, shape: dict, plan: dict, seeds: list[int], fractions: Sequence[float]) -> pd.DataFrame:
    """Train plain networks with inputs standardised by training rows and by all rows; a row for each at each recorded epoch.

    Columns leak (True for all rows), seed, epoch, valid, test: root mean squared errors in units of the training targets'
    spread. Both kinds of a seed share split, first weights and batch order, so that they differ by the statistics alone.
    """
    one = partial(course, table, shape, planned(plan | {"snapshots": True, "select": "last"}), seeds, fractions)
    return pd.concat([one(leak) for leak in (False, True)], ignore_index=True)


def course(table: Table, shape: dict, plan: tuple, seeds: list[int], fractions: Sequence[float], leak: bool) -> pd.DataFrame:
    """Train one kind and score the weights of every recorded epoch."""
    split = prepared.split(table, seeds=seeds, fractions=fractions, leak=leak)
    model, members = Bottleneck(seeds, split.train.x.shape[-1], 1, shape), Members("plain", seeds, [0.0])
    done = fit(one_device("cpu"), model, plain_terms, split, plan, members)
    rows = []
    for index, epoch in enumerate(done.epochs):
        model.load_state_dict({name: film[index] for name, film in done.snapshots.items()})
        valid, test = (score(model, plain_terms, part, members).sqrt().tolist() for part in (split.valid, split.test))
        rows.append(pd.DataFrame({"leak": leak, "seed": seeds, "epoch": epoch, "valid": valid, "test": test}))
    return pd.concat(rows, ignore_index=True)


def selected(found: pd.DataFrame) -> pd.DataFrame:
    """Return each network's test error at the epoch of its best validation error, and its least test error.

    found: rows of `courses`. Columns leak, seed, honest, flattered.
    """
    groups = found.groupby(["leak", "seed"], sort=False)
    honest = found.loc[groups.valid.idxmin()].set_index(["leak", "seed"]).test
    return pd.DataFrame({"honest": honest, "flattered": groups.test.min()}).reset_index()
