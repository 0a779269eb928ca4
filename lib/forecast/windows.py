"""A forecasting problem: windows of the past to read, windows of the future to say, parts of the series to do it on."""

from typing import NamedTuple

import torch
from torch import Tensor

from lib.core import checks
from lib.core.precision import usual
from lib.forecast.impute import imputed

SCALINGS = {"scalar": "one mean and spread for all", "variate": "a mean and spread for each variate"}


class Frame(NamedTuple):
    """The size of windows and how many of them are taken."""

    look: int = 24  # times read
    horizon: int = 24  # times forecast
    stride: int = 1  # every how manyth window is taken


class Problem(NamedTuple):
    """One series under the masks of R seeds, standardised."""

    x: Tensor  # (R, T, N) what a forecaster reads; hidden values are filled
    y: Tensor  # (R, T, N) what it is scored on; 0 where the record itself has nothing
    known: Tensor  # (T, N) where the record has something
    parts: tuple[Tensor, Tensor, Tensor]  # first times of the windows of training, validation and test
    frame: Frame


def windows(series: Tensor, starts: Tensor, length: int) -> Tensor:
    """Return series[r, s : s + length] for every start, (R, T, N) and (R, B) -> (R, B, length, N)."""
    times = starts[:, :, None] + torch.arange(length, device=starts.device)
    return series[torch.arange(len(series), device=starts.device)[:, None, None], times]


def parts(times: int, frame: Frame) -> tuple[Tensor, Tensor, Tensor]:
    """Return the starts of 60 % of the windows for training, the next 20 % for validation, the rest for test.

    There is no gap: the last windows of a part share times with the first of the next, never a window. Source: [yang2025crib].
    Errors: a series too short for three windows.
    """
    for name, value in frame._asdict().items():
        checks.counted(value, name)
    n = times - frame.look - frame.horizon + 1
    first = round(0.6 * n)
    second = first + round(0.2 * n)
    if not 0 < first < second < n:
        raise ValueError(
            f"{times} times hold {max(n, 0)} windows of {frame.look} + {frame.horizon}, too few for three parts; give more"
        )
    return tuple(torch.arange(a, b, frame.stride) for a, b in ((0, first), (first, second), (second, n)))


def scales(values: Tensor, seen: Tensor, scaling: str) -> tuple[Tensor, Tensor]:
    """Return mean and spread of the training rows (T, N), NaN where the record has nothing.

    scalar: one of each over all values, hidden ones counted as zeros, as [yang2025crib] does; it depends on the mask.
    variate: one of each for every column over all that was recorded, so that units and masks leave scores comparable.
    Errors: a column that has nothing recorded or is constant.
    """
    checks.known(scaling, SCALINGS, "scaling")
    if scaling == "scalar":
        filled = torch.where(seen, values, 0.0)
        return filled.mean(), filled.std(correction=0)
    there = ~values.isnan()
    mean = values.nanmean(0)
    spread = torch.where(there, values - mean, 0.0).square().sum(0).div(there.sum(0)).sqrt()
    if not (spread > 0).all():
        bad = int((~(spread > 0)).nonzero()[0])
        raise ValueError(f"column {bad} is constant or empty in the training rows; leave it out")
    return mean, spread


def problem(values: Tensor, masks: Tensor, frame: Frame, *, scaling: str = "scalar", impute: str = "zero") -> Problem:
    """Return the series under every mask, standardised by training rows, then filled.

    values: (T, N) float64, NaN where the record has nothing; masks: (R, T, N), True where a value may be seen.
    Statistics and imputers see the rows that the inputs of training windows cover and nothing later.
    """
    if values.shape != masks.shape[1:]:
        raise ValueError(f"masks must have shape (R, {', '.join(map(str, values.shape))}), got {tuple(masks.shape)}")
    split, known = parts(len(values), frame), ~values.isnan()
    rows = int(split[0][-1]) + frame.look
    inputs, targets = [], []
    for mask in masks:
        seen = mask & known
        mean, spread = scales(values[:rows], seen[:rows], scaling)
        standard = (values - mean) / spread
        inputs.append(usual(imputed(torch.where(seen, standard, torch.nan), rows, impute)))
        targets.append(usual(torch.where(known, standard, 0.0)))
    return Problem(torch.stack(inputs), torch.stack(targets), known, split, frame)
