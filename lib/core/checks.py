"""Border checks: each names the value that came, what was wanted and what to do."""

import math
import warnings
from typing import TypeVar

import torch
from torch import Tensor

Fields = TypeVar("Fields", bound=tuple)


class CeilingWarning(UserWarning):
    """An estimate that lies at the largest value its estimator can give."""


def matrix(x: Tensor, name: str) -> Tensor:
    """Refuse anything but a finite floating tensor (..., n, d) with n, d >= 1."""
    if not isinstance(x, Tensor):
        raise ValueError(f"{name} must be a torch tensor, got {type(x).__name__}; convert it with torch.as_tensor")
    if x.is_meta:
        raise ValueError(f"{name} is on the meta device, which holds no values; make it on a real device")
    if x.ndim < 2:
        raise ValueError(f"{name} must have shape (n, d), got {tuple(x.shape)}; for a scalar variable pass {name}[:, None]")
    if not x.is_floating_point():
        raise ValueError(f"{name} must hold floating-point numbers, got {x.dtype}; convert it with {name}.float()")
    if 0 in x.shape:
        raise ValueError(f"{name} must have at least one row and one column, got shape {tuple(x.shape)}")
    # One NaN or infinity makes the sum one too; the sum is ten times cheaper, and may overflow where all is well.
    if not x.detach().sum().isfinite() and not torch.isfinite(x).all():
        raise ValueError(f"{name} holds {int((~torch.isfinite(x)).sum())} NaN or infinite values; drop or impute those rows")
    return x


def paired(x: Tensor, y: Tensor, *, least: int = 2) -> tuple[Tensor, Tensor]:
    """Refuse two matrices that do not pair row by row, or that have fewer than `least` rows."""
    together(x, y)
    matrix(x, "x"), matrix(y, "y")
    if x.shape[:-1] != y.shape[:-1]:
        raise ValueError(f"x and y must pair row by row, got {tuple(x.shape)} and {tuple(y.shape)}; give both the same rows")
    return enough(x, "x", least), y


def comparable(x: Tensor, y: Tensor, *, least: int = 1, names: tuple[str, str] = ("x", "y")) -> tuple[Tensor, Tensor]:
    """Refuse two samples, not paired, that do not live in one space, or that have fewer than `least` rows."""
    together(x, y, names)
    matrix(x, names[0]), matrix(y, names[1])
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(
            f"{names[0]} has {x.shape[-1]} columns and {names[1]} {y.shape[-1]}; both samples must live in one space"
        )
    if x.dtype != y.dtype:
        raise ValueError(f"{names[0]} is {x.dtype} and {names[1]} {y.dtype}; convert one with .to()")
    return enough(x, names[0], least), enough(y, names[1], least)


def together(x: Tensor, y: Tensor, names: tuple[str, str] = ("x", "y")) -> None:
    """Refuse tensors on two devices."""
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.device != y.device:
        raise ValueError(f"{names[0]} is on {x.device} and {names[1]} on {y.device}; move one with .to()")


def single(x: Tensor, name: str) -> Tensor:
    """Refuse anything but one finite sample (n, d), where stacked members have no meaning."""
    if matrix(x, name).ndim != 2:
        raise ValueError(f"{name} must be one sample (n, d), got {tuple(x.shape)}; call once for each member")
    return x


def enough(x: Tensor, name: str, least: int) -> Tensor:
    """Refuse fewer than `least` rows."""
    if x.shape[-2] < least:
        raise ValueError(f"{name} has {x.shape[-2]} rows, at least {least} are needed; give more samples")
    return x


def codes(c: Tensor, name: str) -> Tensor:
    """Refuse anything but integer rows (..., n, d) with n, d >= 1."""
    if not isinstance(c, Tensor) or c.is_floating_point() or c.is_complex() or c.is_meta:
        raise ValueError(f"{name} must hold integers, got {getattr(c, 'dtype', type(c).__name__)}; bin the values first")
    if c.ndim < 2 or 0 in c.shape:
        raise ValueError(
            f"{name} must have shape (n, d) with n, d >= 1, got {tuple(c.shape)}; for one column pass {name}[:, None]"
        )
    return c


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


def filled(kind: type[Fields], settings: dict, what: str) -> Fields:
    """Return the NamedTuple that settings describe, refusing names that it does not have and lacking ones."""
    if unknown := sorted(set(settings) - set(kind._fields)):
        raise ValueError(f"{what} has no {unknown[0]!r}; it takes {', '.join(kind._fields)}")
    needed = [name for name in kind._fields if name not in kind._field_defaults]
    if missing := [name for name in needed if name not in settings]:
        raise ValueError(f"{what} lacks {missing[0]!r}; it needs {', '.join(needed)}")
    return kind(**settings)


def known(name: str, table: dict, what: str) -> object:
    """Look a name up, or say which names there are."""
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}; known: {', '.join(sorted(table))}")
    return table[name]


def ceiling(value: Tensor, most: float, what: str) -> Tensor:
    """Return value (...), and warn where it lies within 5 % of `most`, the largest that the estimator can give, or above it."""
    if most > 0 and (high := value.detach().max().item()) >= 0.95 * most:
        warnings.warn(
            f"{what} is {high:.3f} nats and can be at most {most:.3f}: the estimator is saturated and the truth may be larger; "
            "give more samples or a coarser scale",
            CeilingWarning,
            stacklevel=3,
        )
    return value
