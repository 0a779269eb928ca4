"""Forecasts of linear models taken apart by eigenpair: pieces that add up, kept in one file."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lib.core.types import Trajectories
from lib.koopman.linear import LinearKoopman
from lib.koopman.residual import residuals_on


class Pieces(NamedTuple):
    """A forecast from one start, taken apart: the snapshot t >= 1 steps later is the sum over pairs of values^t parts."""

    values: Tensor  # (r,) complex eigenvalues of one step
    residuals: Tensor  # (r,) on fresh trajectories
    parts: Tensor  # (r, n) complex: the start's eigenfunction times the mode
    truth: Tensor  # (S + 1, ...) what the trajectory did


def taken_apart(model: LinearKoopman, fresh: Trajectories, *, steps: int) -> Pieces:
    """Return the pieces of the forecast of the first fresh trajectory, `steps` steps beyond the window it starts from."""
    start = fresh.x[:1, : model.delays].double().flatten(1)
    phi = model.lift(start).to(model.vectors.dtype) @ model.vectors  # (1, r)
    truth = fresh.x[0, model.delays - 1 : model.delays + steps]
    return Pieces(model.eigenvalues, residuals_on(model, fresh), phi.mT * model.modes, truth)


def forecast(pieces: Pieces, kept: Tensor, steps: int) -> Tensor:
    """Return what the kept pairs (r,) foretell, (steps, n), from one step after the start."""
    powers = pieces.values[kept] ** torch.arange(1, steps + 1, dtype=torch.float64)[:, None]
    return (powers @ pieces.parts[kept]).real


def save(models: dict[str, Pieces], path: Path) -> None:
    """Write models to one file, at single precision."""
    tensors = {}
    for name, pieces in models.items():
        for part, value in pieces._asdict().items():
            real = torch.view_as_real(value.resolve_conj()) if value.is_complex() else value
            tensors[f"{name}/{part}"] = real.float().contiguous()
    save_file(tensors, path)


def load(path: Path) -> dict[str, Pieces]:
    """Read what `save` wrote, by name in alphabetical order; at double precision again, so that powers stay exact enough."""
    tensors, found = load_file(path), {}
    for name in sorted({key.rpartition("/")[0] for key in tensors}):
        values, residuals, parts, truth = (tensors[f"{name}/{part}"].double() for part in Pieces._fields)
        found[name] = Pieces(torch.view_as_complex(values), residuals, torch.view_as_complex(parts), truth)
    return found
