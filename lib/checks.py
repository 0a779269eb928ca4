"""Border checks: each names the value that came, what was wanted and what to do."""

import math

import torch
from torch import Tensor


def matrix(x: Tensor, name: str) -> Tensor:
    """Refuse anything but a finite floating tensor (..., n, d) with n, d >= 1."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(x).__name__}; convert it with torch.as_tensor")
    if x.ndim < 2:
        raise ValueError(f"{name} must have shape (n, d), got {tuple(x.shape)}; for a scalar variable pass {name}[:, None]")
    if not x.is_floating_point():
        raise ValueError(f"{name} must hold floating-point numbers, got {x.dtype}; convert it with {name}.float()")
    if 0 in x.shape:
        raise ValueError(f"{name} must have at least one row and one column, got shape {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} holds {int((~torch.isfinite(x)).sum())} NaN or infinite values; drop or impute those rows")
    return x


def paired(x: Tensor, y: Tensor, *, least: int = 2) -> tuple[Tensor, Tensor]:
    """Refuse two matrices that do not pair row by row, or that have fewer than `least` rows."""
    matrix(x, "x"), matrix(y, "y")
    if x.shape[:-1] != y.shape[:-1]:
        raise ValueError(f"x and y must pair row by row, got {tuple(x.shape)} and {tuple(y.shape)}; give both the same rows")
    if x.device != y.device:
        raise ValueError(f"x is on {x.device} and y on {y.device}; move one with .to()")
    return enough(x, "x", least), y


def enough(x: Tensor, name: str, least: int) -> Tensor:
    """Refuse fewer than `least` rows."""
    if x.shape[-2] < least:
        raise ValueError(f"{name} has {x.shape[-2]} rows, at least {least} are needed; give more samples")
    return x


def labels(y: Tensor, n: int) -> Tensor:
    """Refuse anything but n non-negative integer class labels."""
    if not isinstance(y, Tensor) or y.is_floating_point() or y.is_complex():
        raise ValueError(f"labels must be an integer tensor, got {getattr(y, 'dtype', type(y).__name__)}; convert with .long()")
    if y.shape != (n,):
        raise ValueError(f"labels must have shape ({n},) to match the samples, got {tuple(y.shape)}")
    if (y < 0).any():
        raise ValueError(f"labels must be >= 0, got {int(y.min())}; number the classes from 0")
    return y.long()


def positive(value: float, name: str) -> float:
    """Refuse a number that is not finite and > 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a positive finite number, got {value!r}")
    return value


def counted(value: int, name: str, *, least: int = 1) -> int:
    """Refuse anything but a whole number >= least."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return value


def known(name: str, table: dict, what: str) -> object:
    """Look a name up, or say which names there are."""
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(sorted(table))}")
    return table[name]
