"""The ledger: what was published, what was measured, by which rule the verdict was reached."""

import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.stats.intervals import interval
from lib.workbook.runs import PARTS, write_json

VERDICTS = HOLDS, FAILS, TOO_SMALL = "holds", "fails", "not at this scale"
DIGITS = 4  # of a measured value, as they are printed


class Rule(NamedTuple):
    """How a verdict is reached from one value a seed, written before the run."""

    says: str
    passes: Callable[[Sequence[float]], bool]
    least: int = 5  # seeds below which nothing is concluded


class Claim(NamedTuple):
    """One published sentence, and the rule that will judge it."""

    id: str
    part: str
    source: str  # key in references.bib
    where: str  # table, figure or equation
    says: str
    published: str | float
    rule: Rule


COLUMNS = (*Claim._fields, "measured", "spread", "seeds", "scale", "data", "verdict")


def above(bar: float, what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value exceeds the bar in at least this share of the seeds."""
    return Rule(f"{what} > {bar:g} in at least {share:.0%} of the seeds", lambda v: sum(x > bar for x in v) >= share * len(v))


def below(bar: float, what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value stays below the bar in at least this share of the seeds."""
    return Rule(f"{what} < {bar:g} in at least {share:.0%} of the seeds", lambda v: sum(x < bar for x in v) >= share * len(v))


def between(low: float, high: float, what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value lies strictly between two bars in at least this share of the seeds."""
    says = f"{low:g} < {what} < {high:g} in at least {share:.0%} of the seeds"
    return Rule(says, lambda v: sum(low < x < high for x in v) >= share * len(v))


def close(truth: float, tolerance: float, what: str) -> Rule:
    """Hold if the mean over the seeds lies within the tolerance of the truth."""
    return Rule(f"mean of {what} within {tolerance:g} of {truth:g}", lambda v: abs(statistics.fmean(v) - truth) <= tolerance)


def exact(tolerance: float, what: str) -> Rule:
    """Hold if an identity is met to the tolerance in every case; one case is enough."""
    return Rule(f"|{what}| <= {tolerance:g} in every case", lambda v: all(abs(x) <= tolerance for x in v), least=1)


def judge(claim: Claim, values: Sequence[float], *, scale: str, data: str) -> dict:
    """Return the ledger's row for one value a seed.

    A value that is not finite (a run that diverged) supports no claim: the verdict is `fails`, and the row says how many.
    """
    values = [float(v) for v in values]
    finite = [v for v in values if math.isfinite(v)]
    if len(values) < claim.rule.least:
        verdict = TOO_SMALL
    else:
        verdict = HOLDS if len(finite) == len(values) and claim.rule.passes(values) else FAILS
    lost = f" ({len(values) - len(finite)} of {len(values)} not finite)" if len(finite) < len(values) else ""
    return claim._asdict() | {
        "measured": round(statistics.fmean(finite), 6) + 0.0 if finite else None,  # + 0.0: rounding noise has no sign
        "spread": round(statistics.stdev(finite), 6) if len(finite) > 1 else None,
        "seeds": len(values),
        "scale": scale,
        "data": data + lost,
        "rule": claim.rule.says,
        "verdict": verdict,
    }


def check(rows: list[dict], where: str) -> list[dict]:
    """Refuse rows that are not the ledger's: wrong columns, unknown part or verdict, an id twice."""
    for row in rows:
        if sorted(row) != sorted(COLUMNS):
            odd = sorted(set(row) ^ set(COLUMNS))
            raise ValueError(f"claim {row.get('id')!r} of {where} has wrong columns: {odd}; a row has {list(COLUMNS)}")
        if row["part"] not in PARTS or row["verdict"] not in VERDICTS:
            raise ValueError(
                f"claim {row['id']!r} of {where} has part {row['part']!r} and verdict {row['verdict']!r}; see claims.py"
            )
    ids = [row["id"] for row in rows]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ValueError(f"{where} holds more than one claim named {', '.join(twice)}; give each its own id")
    return rows


def write(folder: Path, rows: list[dict]) -> None:
    """Write a study's rows to claims.json, and their verdicts as DVC metrics to metrics.json."""
    write_json(folder / "claims.json", check(rows, str(folder)))
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in VERDICTS}
    measured = {row["id"]: row["measured"] for row in rows}
    write_json(folder / "metrics.json", {"verdicts": counts, "measured": measured})


def unit(*values: float) -> float:
    """Return what one unit of the last digit is worth by which `table` prints the largest of the values; rows keep 1e-6."""
    largest = max(map(abs, values))
    return max(1e-6, 10.0 ** (math.floor(math.log10(largest)) + 1 - DIGITS)) if largest else 1e-6


def table(rows: list[dict], *, width: int = 56) -> str:
    """Return the rows as a text table: verdict, id, what was measured, what was claimed."""
    lines, longest = [], max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        spread = "" if row["spread"] is None else f" ± {row['spread']:.3g}"
        measured = "none" if row["measured"] is None else f"{row['measured']:.{DIGITS}g}{spread}"
        says, *rest = textwrap.wrap(f"{row['says']} [{row['source']}, {row['where']}]", width)
        start = f"{row['verdict']:<17} {row['id']:<{longest}} {measured:<18} n={row['seeds']:<3} "
        lines += [start + says, *(" " * len(start) + line for line in rest)]
    return "\n".join(lines)


def mean_above(bar: float, what: str) -> Rule:
    """Hold if the 95 % interval of the mean over the seeds lies above the bar."""
    return Rule(f"95 % interval of the mean {what} lies above {bar:g}", lambda v: interval(v).low > bar)


def spread_above(bar: float, what: str) -> Rule:
    """Hold if the standard deviation over the seeds exceeds the bar."""
    return Rule(f"standard deviation of {what} over the seeds > {bar:g}", lambda v: statistics.stdev(v) > bar)
