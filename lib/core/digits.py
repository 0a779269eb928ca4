"""Which digits of a number are shown, and which decide: those that another processor gives as well."""

from torch import Tensor


def at_most(value: float, bound: float, *, form: str = ".2e") -> str:
    """Return a residual as text, or only that it is below a bound, under which what is left is rounding.

    NaN is below no bound.
    """
    return f"below {bound:.0e}" if abs(value) < bound else format(value, form)


def settled(x: Tensor) -> Tensor:
    """Return x rounded to nine decimals, so that of values which rounding alone parts none is the greater: they are ties."""
    return x.round(decimals=9)
