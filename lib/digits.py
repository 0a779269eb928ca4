"""Which digits of a number are shown: those that another processor gives as well."""


def at_most(value: float, bound: float, *, form: str = ".2e") -> str:
    """Return a residual as text, or only that it is below a bound, under which what is left is rounding.

    NaN is below no bound.
    """
    return f"below {bound:.0e}" if abs(value) < bound else format(value, form)
