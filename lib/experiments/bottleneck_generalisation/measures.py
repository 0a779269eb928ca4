"""Measures of networks against their generalisation gap, from a table with one row for each network."""

from collections.abc import Sequence
from itertools import product

import pandas as pd
import torch
from torch import Tensor

from lib.stats.correlation import correlations, interval

CODES = ("xz_mc", "xz_given_y_mc", "xz_jensen", "xz_given_y_jensen")
WEIGHTS = ("encoder_single_jensen", "encoder_multi_jensen", "all_single_jensen", "all_multi_jensen")
SIZES = ("parameters", "m_log_m", "norm_sum", "norm_product")


def combined(code: Tensor, weights: Tensor, *, scaled: bool = True) -> Tensor:
    r"""Return s I(S;theta) + I(X;Z), with s = mean I(X;Z) / mean I(S;theta) over the networks, or 1.

    code, weights: (n,), nats -> (n,). Scaled, both parts have one mean, so the sum depends on which networks are compared.
    Source: [kawaguchi2023how].
    """
    return code + weights * (code.mean() / weights.mean() if scaled else 1.0)


def bound_shape(code: Tensor, weights: Tensor, *, n: int) -> Tensor:
    r"""Return sqrt((I(X;Z|Y) + I(S;theta)) / n), the part of the bound for a learned encoder that depends on information.

    code, weights: (n,), nats -> (n,). The bound is said to be G sqrt((information + c) / n) + G' / sqrt(n), linear in the
    information under the root, with constants of the problem that are not computed here; its exact form was not checked
    against the paper. Source: [kawaguchi2023how].
    """
    return ((code + weights) / n).sqrt()


def with_combined(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with the 32 combined measures of its networks, named code+weights, and raw_code+weights unscaled."""
    found = {}
    for code, weights, scaled in product(CODES, WEIGHTS, (True, False)):
        parts = (torch.tensor(table[name].to_numpy()) for name in (code, weights))
        found[f"{'' if scaled else 'raw_'}{code}+{weights}"] = combined(*parts, scaled=scaled).numpy()
    return table.assign(**found)


def against_gap(table: pd.DataFrame, measures: Sequence[str], *, draws: int = 1000) -> pd.DataFrame:
    """Return each measure's correlation with the gap: a row for each coefficient, with its interval over resampled networks."""
    gap, rows = torch.tensor(table.gap.to_numpy()), []
    for measure in measures:
        found = interval(torch.tensor(table[measure].to_numpy()), gap, draws=draws)
        rows += [{"measure": measure, "coefficient": name} | ends for name, ends in found.items()]
    return pd.DataFrame(rows)


def by_group(table: pd.DataFrame, measures: Sequence[str], by: list[str]) -> pd.DataFrame:
    """Return every coefficient within every group: columns `by`, measure, coefficient, value.

    Combined measures are scaled within the group.
    """
    rows = []
    for key, group in table.groupby(by):
        group, where = with_combined(group), dict(zip(by, key, strict=True))
        gap = torch.tensor(group.gap.to_numpy())
        for measure in measures:
            found = correlations(torch.tensor(group[measure].to_numpy()), gap)
            rows += [where | {"measure": measure, "coefficient": name, "value": v.item()} for name, v in found.items()]
    return pd.DataFrame(rows)
