"""Snapshots, pairs, delays and windows of trajectories: none of them crosses the seam between two trajectories."""

from collections.abc import Iterator

import torch
from torch import Tensor

from lib.core import checks
from lib.core.types import Trajectories

Data = Trajectories | list[Trajectories]  # a list where trajectories differ in length
BLOCK = 2**22  # numbers that one block of lifted snapshots holds: 32 MiB


def parts(data: Data) -> list[Trajectories]:
    """Return data as a list of members that share dimension, time step and the presence of controls."""
    members = data if isinstance(data, list) else [data]
    if not members or not all(isinstance(part, Trajectories) for part in members):
        kinds = {type(part).__name__ for part in members} or {"an empty list"}
        raise ValueError(f"data must be Trajectories or a list of them, got {', '.join(sorted(kinds))}; wrap x (B, T, ...)")
    for what, values in (("time steps", {part.dt for part in members}), ("shapes", {tuple(p.x.shape[2:]) for p in members})):
        if len(values) > 1:
            raise ValueError(f"members of data must share one of their {what}, got {sorted(values)}; fit them apart")
    if len({part.controls is None for part in members}) > 1:
        raise ValueError("some members of data have controls and some have none; give controls to all, zeros where none acted")
    return members


def snapshots(data: Trajectories) -> Tensor:
    """Return the snapshots as rows, (B, T, ...) -> (B, T, n) float64, fields flattened.

    Errors: ValueError for a wrong shape or type, and for NaN or infinity, with the trajectory and the step that hold it.
    """
    x = data.x
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise ValueError(f"x must be a floating tensor, got {getattr(x, 'dtype', type(x).__name__)}; convert it with .double()")
    if x.ndim < 3 or 0 in x.shape:
        raise ValueError(
            f"x must have shape (B, T, ...), none of them 0, got {tuple(x.shape)}; for one trajectory pass x[None]"
        )
    x = x.double().flatten(2)
    if not x.sum().isfinite() and not (fine := x.isfinite().all(-1)).all():
        where, step = (~fine).nonzero()[0].tolist()
        raise ValueError(f"trajectory {where} holds NaN or infinity at step {step}; cut it there or impute the value")
    return x


def controls(data: Trajectories) -> Tensor:
    """Return what acted between snapshots, (B, T - 1, m) float64, m = 0 where nothing did."""
    size, steps = data.x.shape[:2]
    if data.controls is None:
        return data.x.new_zeros(size, steps - 1, 0, dtype=torch.float64)
    if data.controls.shape[:-1] != (size, steps - 1):
        raise ValueError(
            f"controls must have shape ({size}, {steps - 1}, m), one for each step between snapshots, "
            f"got {tuple(data.controls.shape)}"
        )
    if not torch.isfinite(data.controls).all():
        raise ValueError("controls hold NaN or infinite values; give what acted at each step")
    return data.controls.double()


def uncontrolled(data: Data) -> Data:
    """Refuse data with controls, which a fit without them would lump with the noise."""
    if parts(data)[0].controls is not None:
        raise ValueError("data carries controls; use dmdc or edmdc, or drop them with data._replace(controls=None)")
    return data


def from_times(x: Tensor, times: Tensor) -> Trajectories:
    """Return trajectories (B, T, ...) measured at `times` (T,), which must be equally spaced to one part in a million.

    Errors: ValueError with the step at which the spacing changes.
    """
    if times.shape != x.shape[1:2] or len(times) < 2:
        raise ValueError(f"times must have shape ({x.shape[1]},), at least two, got {tuple(times.shape)}")
    gaps = times.double().diff()
    off = (gaps - gaps.median()).abs() > 1e-6 * gaps.median().abs()
    if off.any() or gaps.median() <= 0:
        step = int(off.nonzero()[0]) if off.any() else 0
        raise ValueError(
            f"times must grow by equal steps, got {gaps[step]:.6g} after step {step} where the median is {gaps.median():.6g}; "
            "interpolate to equal steps first"
        )
    return Trajectories(x, float(gaps.mean()), {})


def pairs(data: Data, *, lag: int = 1) -> tuple[Tensor, Tensor]:
    """Return snapshots and those `lag` steps later in the same trajectory, (N, n) each, N = sum of B (T - lag)."""
    checks.counted(lag, "lag")
    rows = [longer(snapshots(part), lag + 1, f"pairs {lag} apart") for part in parts(data)]
    return stacked([x[:, :-lag] for x in rows]), stacked([x[:, lag:] for x in rows])


def delays(data: Data, *, count: int) -> Data:
    """Return trajectories of `count` successive snapshots side by side, oldest first: (B, T, n) -> (B, T - count + 1, count n).

    Controls are those after the newest snapshot. Source: [arbabi2017ergodic].
    """
    checks.counted(count, "count")
    if count == 1:
        return data
    if isinstance(data, list):
        return [delays(part, count=count) for part in parts(data)]
    x = windowed(longer(snapshots(data), count, f"{count} delays"), count).flatten(2)
    acted = None if data.controls is None else controls(data)[:, count - 1 :]
    return data._replace(x=x, controls=acted)


def windows(data: Data, *, length: int) -> Tensor:
    """Return all windows of `length` successive snapshots, (W, length, n)."""
    checks.counted(length, "length")
    rows = [longer(snapshots(part), length, f"windows of {length}") for part in parts(data)]
    return stacked([windowed(x, length) for x in rows])


def stacked(members: list[Tensor]) -> Tensor:
    """Return (B, T, ...) tensors as rows, (sum of B T, ...); a view where there is nothing to move."""
    rows = [x.flatten(0, 1) for x in members]
    return rows[0] if len(rows) == 1 else torch.cat(rows)


def windowed(x: Tensor, length: int) -> Tensor:
    """Return a view (B, T, n) -> (B, T - length + 1, length, n)."""
    return x.unfold(1, length, 1).mT


def longer(x: Tensor, least: int, purpose: str) -> Tensor:
    """Refuse trajectories of fewer than `least` snapshots."""
    if x.shape[1] < least:
        raise ValueError(f"trajectories have {x.shape[1]} snapshots, {purpose} need at least {least}; give longer ones")
    return x


def blocks(x: Tensor, width: int) -> Iterator[slice]:
    """Cut the T - 1 steps of (B, T, n) into slices, so that a block of `width` columns a snapshot stays small."""
    step = max(1, BLOCK // (len(x) * width))
    for begin in range(0, x.shape[1] - 1, step):
        yield slice(begin, min(begin + step, x.shape[1] - 1))


def box_of(data: Data) -> Tensor:
    """Return the least and the largest value of each of the n numbers of a snapshot, (2, n)."""
    rows = stacked([snapshots(part) for part in parts(data)])
    fold = min(64, len(rows))  # side by side: a wide matrix is reduced ten times faster than one of few columns
    head, tail = rows[: len(rows) // fold * fold].reshape(-1, fold * rows.shape[1]), rows[-fold:]
    low = torch.minimum(head.amin(0).view_as(tail), tail).amin(0)
    return torch.stack([low, torch.maximum(head.amax(0).view_as(tail), tail).amax(0)])
