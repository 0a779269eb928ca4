"""The few shapes that everything passes around. `...` is an optional leading axis of stacked members (seeds x betas)."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor


class Paired(NamedTuple):
    """Paired samples with what is known about them."""

    x: Tensor  # (n, dx)
    y: Tensor  # (n, dy), or (n,) integer labels
    truth: dict  # exact values, e.g. {"mi": nats}


class Table(NamedTuple):
    """One data set in its own units, before any split or standardisation."""

    x: Tensor  # (n, d) float32
    y: Tensor  # (n, 1) float32 to regress on, or (n,) int64 labels
    x_names: list[str]  # d names
    y_name: str


class Rows(NamedTuple):
    """Rows of one part of a split."""

    x: Tensor  # (..., n, d)
    y: Tensor  # (..., n, dy), or (..., n) integer labels


class Split(NamedTuple):
    """The three parts; the leading axis, where present, is the seed that drew the split."""

    train: Rows
    valid: Rows
    test: Rows


class Terms(NamedTuple):
    """What a bottleneck trades: loss = fit + beta * price."""

    fit: Tensor  # (...) how badly the prediction misses
    price: Tensor  # (...) what the bottleneck charges for the code
    watch: dict | None = None  # numbers to log, never to differentiate


class Trajectories(NamedTuple):
    """Equally spaced snapshots of one system, with what is known about it."""

    x: Tensor  # (B, T, ...): B trajectories of T snapshots, float64
    dt: float  # time between snapshots; 1 for a map
    truth: dict  # exact values, e.g. {"spectrum": complex eigenvalues of one step}
    controls: Tensor | None = None  # (B, T - 1, m): what acted between snapshot t and t + 1


class Words(NamedTuple):
    """Names and what each is to an encoder; anything with these two fields serves as such."""

    names: Sequence[str]
    vectors: Tensor  # (m, d)
