"""Data sets as training takes them: one table on disk, and for each seed its own split and its own standardisation."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.core.types import Rows, Split, Table

PARTS = ("train", "valid", "test")


class Prepared(NamedTuple):
    """A data set, split and standardised for every seed."""

    split: Split  # parts with a leading seed axis: x (S, n, d), y (S, n, 1) or labels (S, n)
    everything: tuple[Tensor, Tensor]  # all rows in their own order, x standardised over all rows, and y
    y_std: Tensor  # (S,) spread of the training targets in their own unit; 1 for labels
    outputs: int  # 1 for regression, the number of classes otherwise


def sample(table: Table, rows: int) -> Table:
    """Return `rows` rows drawn once, in their own order; all of them for 0. Errors: more rows than there are."""
    if rows == 0:
        return table
    if checks.counted(rows, "rows") > (n := len(table.x)):
        raise ValueError(f"rows is {rows}, but the table has {n}; give at most {n}, or 0 for all")
    drawn = torch.randperm(len(table.x), generator=torch.Generator().manual_seed(0))[:rows].sort().values
    return table._replace(x=table.x[drawn], y=table.y[drawn])


def write(folder: Path, table: Table, *, seeds: Sequence[int], fractions: Sequence[float]) -> None:
    """Store a table and, for each seed, a shuffled assignment of its rows to training (0), validation (1) and test (2).

    Errors: rows with missing values; fractions that do not describe three parts; a part without rows; seeds given twice.
    """
    checks.matrix(table.x, "x")
    if table.y.is_floating_point():
        checks.matrix(table.y, "y")
    if len(fractions) != 3 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-6:
        raise ValueError(f"fractions must be three positive numbers that sum to 1, got {list(fractions)}")
    if len(set(seeds)) < len(seeds) or not seeds:
        raise ValueError(f"seeds must be distinct and at least one, got {list(seeds)}")
    parts = torch.stack([assignment(len(table.x), fractions, seed) for seed in seeds])
    tensors = {"x": table.x, "y": table.y, "parts": parts, "seeds": torch.tensor(seeds)}
    save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "table.safetensors")


def assignment(n: int, fractions: Sequence[float], seed: int) -> Tensor:
    """Return the part (0, 1, 2) of each of n rows, drawn by the seed."""
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    first, second = round(n * fractions[0]), round(n * (fractions[0] + fractions[1]))
    if not 0 < first < second < n:
        raise ValueError(
            f"{n} rows cannot be split by {list(fractions)}: a part would be empty; give more rows or other fractions"
        )
    parts = torch.full((n,), 2, dtype=torch.int8)
    parts[order[:first]], parts[order[first:second]] = 0, 1
    return parts


def read(folder: Path, seeds: Sequence[int]) -> Prepared:
    """Return the data set for these seeds; whatever is standardised uses the seed's training rows only.

    Errors: a folder without a table; seeds for which no split was stored.
    """
    path = folder / "table.safetensors"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; `dvc repro prepare` writes it")
    stored = load_file(path)
    known = stored["seeds"].tolist()
    if missing := sorted(set(seeds) - set(known)):
        raise ValueError(f"{folder} holds splits for the seeds {known}, not for {missing}; add them to `seeds` in params.yaml")
    x, y = stored["x"], stored["y"]
    splits, spreads = zip(*(parted(x, y, stored["parts"][known.index(seed)]) for seed in seeds), strict=True)
    outputs = y.shape[1] if y.is_floating_point() else int(y.max()) + 1
    every = (standardised(x, torch.ones(len(x), dtype=torch.bool)), y)
    return Prepared(stacked(splits), every, torch.stack(spreads), outputs)


def split(table: Table, *, seeds: Sequence[int], fractions: Sequence[float], leak: bool = False) -> Split:
    """Return the split that `write` and then `read` would give, without a folder between them.

    With `leak` the inputs are standardised by all rows, test rows among them: a fault, there to be measured.
    """
    parts = (assignment(len(table.x), fractions, seed) for seed in seeds)
    return stacked([parted(table.x, table.y, part, leak=leak)[0] for part in parts])


def parted(x: Tensor, y: Tensor, part: Tensor, *, leak: bool = False) -> tuple[list[Rows], Tensor]:
    """Return the three parts of one seed, standardised by its training rows, and the spread of its training targets."""
    regression, training = y.is_floating_point(), part == 0
    z = standardised(x, training | leak)
    target = standardised(y, training) if regression else y
    spread = y[training].std(correction=0) if regression else torch.ones(())
    return [Rows(z[part == i], target[part == i]) for i in range(3)], spread


def stacked(splits: Sequence[list[Rows]]) -> Split:
    """Return the seeds' parts with a leading seed axis."""
    return Split(*(Rows(*map(torch.stack, zip(*rows, strict=True))) for rows in zip(*splits, strict=True)))


def standardised(x: Tensor, rows: Tensor) -> Tensor:
    """Return x with mean 0 and spread 1 of the chosen rows; a column that is constant there becomes 0."""
    chosen = x[rows].double()
    mean, spread = chosen.mean(0), chosen.std(0, correction=0)
    return usual(torch.where(spread > 0, (x.double() - mean) / torch.where(spread > 0, spread, 1.0), 0.0))
