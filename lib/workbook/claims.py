"""The ledger: what was published, what was measured, by which rule the verdict was reached.

A paper's claims.yaml has them, written before the run: study -> groups of claims. What a group gives, its claims share.

    crib:                                   # a study
    - source: yang2025crib                  # key in references.bib
      where: main comparison                # table, figure or equation
      data: {airports: airports}            # of {data} in an id -> of {title} in a sentence; a text where there is one set
      claims:
        "{data}_imputing_harms":
          says: filling gaps before forecasting raises the error
          published: imputation degrades    # what the paper tells, in its words or as a number
          rule: {above: 0, of: MAE with the better imputer less MAE with zeros}
"""

import inspect
import math
import re
import statistics
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lib.stats import episodes
from lib.stats.intervals import interval
from lib.workbook.runs import PARTS, at, check_name, read_yaml, write_json

VERDICTS = HOLDS, FAILS, TOO_SMALL = "holds", "fails", "not at this scale"
DIGITS = 4  # of a measured value, as they are printed


class Rule(NamedTuple):
    """How a verdict is reached from one value a seed, written before the run."""

    says: str
    passes: Callable[[Sequence[float]], bool]
    least: int = 5  # seeds below which nothing is concluded


class Claim(NamedTuple):
    """One published sentence, the rule that will judge it, and on which data."""

    id: str
    part: str
    source: str  # key in references.bib
    where: str  # table, figure or equation
    says: str
    published: str | float
    rule: Rule
    data: str


COLUMNS = (*Claim._fields[:-1], "measured", "spread", "seeds", "scale", "data", "verdict")  # of a row


def _share(told: str, inside: Callable[[float], bool], share: float) -> Rule:
    return Rule(f"{told} in at least {share:.0%} of the seeds", lambda v: sum(map(inside, v)) >= share * len(v))


def above(bar: float, what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value exceeds the bar in at least this share of the seeds."""
    return _share(f"{what} > {bar:g}", lambda x: x > bar, share)


def below(bar: float, what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value stays below the bar in at least this share of the seeds."""
    return _share(f"{what} < {bar:g}", lambda x: x < bar, share)


def between(bars: Sequence[float], what: str, *, share: float = 0.8) -> Rule:
    """Hold if the value lies strictly between two bars in at least this share of the seeds."""
    low, high = bars
    return _share(f"{low:g} < {what} < {high:g}", lambda x: low < x < high, share)


def close(truth: float, what: str, *, within: float) -> Rule:
    """Hold if the mean over the seeds lies within a distance of the truth."""
    return Rule(f"mean of {what} within {within:g} of {truth:g}", lambda v: abs(statistics.fmean(v) - truth) <= within)


def exact(tolerance: float, what: str) -> Rule:
    """Hold if an identity is met to the tolerance in every case; one case is enough."""
    return Rule(f"|{what}| <= {tolerance:g} in every case", lambda v: all(abs(x) <= tolerance for x in v), least=1)


def mean_above(bar: float, what: str) -> Rule:
    """Hold if the 95 % interval of the mean over the seeds lies above the bar."""
    return Rule(f"95 % interval of the mean {what} lies above {bar:g}", lambda v: interval(v).low > bar)


def spread_above(bar: float, what: str) -> Rule:
    """Hold if the standard deviation over the seeds exceeds the bar."""
    return Rule(f"standard deviation of {what} over the seeds > {bar:g}", lambda v: statistics.stdev(v) > bar)


def chance_below(bar: float, what: str) -> Rule:
    """Hold if ranks this small on average are less probable than the bar where all shifts are equally so."""
    return Rule(f"probability of {what} < {bar:g}", lambda v: episodes.chance(v) < bar)


RULES = {rule.__name__: rule for rule in (above, below, between, close, exact, mean_above, spread_above, chance_below)}


def rule(told: Mapping, where: str) -> Rule:
    """Return the rule that `{NAME: bar, of: what, ...}` tells; `least` is a number of seeds below which nothing is concluded.

    Errors: ValueError for an unknown rule or option, a missing `of`, or a bar that is none.
    """
    told, names = dict(told), [name for name in told if name in RULES]
    taken = inspect.signature(RULES[names[0]]).parameters if len(names) == 1 else {}
    known = {name for name, option in taken.items() if option.kind is option.KEYWORD_ONLY}
    needed = {name for name in known if taken[name].default is inspect.Parameter.empty}
    options = {key: value for key, value in told.items() if key not in {*names, "of", "least"}}
    if not taken or not isinstance(told.get("of"), str) or options.keys() - known or needed - options.keys():
        raise ValueError(
            f"rule {told} of {where} must be {{NAME: bar, of: what is compared}} with one NAME of {', '.join(RULES)}; "
            f"beside it {', '.join(sorted(needed)) or 'nothing'} is needed, and {', '.join(sorted({'least', *known}))} allowed"
        )
    bar, (name,) = told[names[0]], names
    if fault := _fault(name, bar, options):
        raise ValueError(f"rule {told} of {where} {fault}")
    made = RULES[name](bar, told["of"], **options)
    least, fewest = told.get("least", made.least), 2 if name in ("mean_above", "spread_above") else 1
    if type(least) is not int or least < fewest:
        raise ValueError(f"rule {told} of {where}: least: {least!r} is no number of seeds for it; give {fewest} or more")
    return made._replace(least=least)


def _fault(name: str, bar: object, options: Mapping) -> str:
    """Return what is wrong with the numbers of a rule, or nothing."""
    bars = bar if name == "between" else [bar]
    numbers = [*bars, *options.values()] if isinstance(bars, list) else [bars]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        return "needs numbers: one as its bar, [low, high] for between"
    if name == "between" and not (len(numbers) - len(options) == 2 and bars[0] < bars[1]):
        return "needs two numbers, [low, high], the low one first"
    if not 0 < options.get("share", 1) <= 1:
        return f"has share: {options['share']}, which is no share of the seeds; give one in (0, 1]"
    if options.get("within", 0) < 0 or (name == "exact" and bar < 0):
        return "has a tolerance below 0, which nothing meets"
    return ""


class Ledger(NamedTuple):
    """The claims of one study."""

    name: str
    claims: dict[str, Claim]

    def table(self, *, width: int = 76) -> str:
        """Return every claim and its rule as text: id, what is said, by which rule it will be judged."""
        longest = max(map(len, self.claims), default=0)
        lines = [
            _beside(f"{c.id:<{longest}} ", [_sentence(c._asdict()), f"holds if {c.rule.says}"], width)
            for c in self.claims.values()
        ]
        return "\n".join(lines)

    def judge(self, values: Mapping[str, Iterable[float]], *, scale: str) -> list[dict]:
        """Return the ledger's rows from one value a seed for every claim; none at all is not enough at this scale.

        Errors: ValueError for a claim without values, and for values of no claim.
        """
        lacking, odd = self.claims.keys() - values.keys(), values.keys() - self.claims.keys()
        if lacking or odd:
            raise ValueError(
                f"claims of {self.name} without values: {', '.join(sorted(lacking)) or 'none'}; "
                f"values of no claim: {', '.join(sorted(odd)) or 'none'}; claims.yaml and the study must name the same"
            )
        return [judge(claim, list(values[name]), scale=scale) for name, claim in self.claims.items()]


def read(path: str | Path, study: str, data: Collection[str] | None = None) -> Ledger:
    """Read the claims of a study from its paper's claims.yaml, those of the given data sets where a group has several.

    Errors: ValueError for what is no claim, an id twice, an unknown rule, and data of which no group is.
    """
    if not at(path).exists():
        raise ValueError(f"{path} does not exist; the claims of {study} stand there, `{study}: []` where it makes none")
    told, part = read_yaml(at(path)), Path(path).parent.parent.name
    if study not in told:
        raise ValueError(f"{path} has no claims of {study!r}; it has those of {', '.join(told) or 'none'}")
    groups = told[study] or []
    if not isinstance(groups, list):
        raise ValueError(f"{path}: {study} must be a list of groups, each with `claims:`, got {groups!r}")
    found = [claim for group in groups for claim in _of_group(group, part, data, f"{path}: {study}")]
    known = {name for group in groups for name in _sets(group)}
    if odd := sorted(set(data or ()) - known):
        raise ValueError(f"{path} has no claims of {study} on {', '.join(odd)}; it has those on {', '.join(sorted(known))}")
    ids = [claim.id for claim in found]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"{path} has more than one claim named {', '.join(twice)}; give each its own id")
    return Ledger(study, {claim.id: claim for claim in found})


def _of_group(group: Mapping, part: str, data: Collection[str] | None, where: str) -> list[Claim]:
    """Return the claims of a group, one set of data after the other."""
    if not isinstance(group, dict) or not isinstance(group.get("claims"), dict):
        raise ValueError(f"a group of {where} must hold `claims:` and what they share, got {group!r}")
    if odd := [name for name, claim in group["claims"].items() if not isinstance(claim, dict)]:
        raise ValueError(f"claim {odd[0]!r} of {where} must hold `name: value` lines, got {group['claims'][odd[0]]!r}")
    if odd := [title for title in _sets(group).values() if not isinstance(title, str)]:
        raise ValueError(f"a group of {where} has data with the title {odd[0]!r}; write it as text: '{odd[0]}'")
    shared = {key: value for key, value in group.items() if key != "claims"}
    every = [(name, shared | claim) for name, claim in group["claims"].items()]
    if not _sets(group):
        return [_of_one(name, told, part, f"claim {name!r} of {where}") for name, told in every]
    chosen = {key: title for key, title in group["data"].items() if data is None or key in data}
    return [
        _of_one(name.replace("{data}", key), told | _on(title, told), part, f"claim {name!r} of {where}")
        for key, title in chosen.items()
        for name, told in every
    ]


def _on(title: str, told: Mapping) -> dict:
    """Return of which data a claim is, and what it says of them where that is a text; the rest is for `_of_one` to refuse."""
    says = told.get("says")
    return {"data": title} | ({"says": says.replace("{title}", title)} if isinstance(says, str) else {})


def _sets(group: Mapping) -> dict[str, str]:
    """Return the sets of data of which a group's claims are asked one by one: name -> title."""
    return group["data"] if isinstance(group.get("data"), dict) else {}


def _of_one(name: str, told: Mapping, part: str, where: str) -> Claim:
    """Return a claim."""
    fields = {"source", "where", "says", "published", "rule", "data"}
    if odd := sorted(fields ^ told.keys()):
        raise ValueError(f"{where} has or lacks {', '.join(odd)}; a claim has {', '.join(sorted(fields))}")
    texts = [name, *(told[field] for field in ("source", "where", "says", "data"))]
    if not all(isinstance(text, str) for text in texts) or not isinstance(told["rule"], dict):
        raise ValueError(f"{where} must have texts and a rule {{NAME: bar, of: what}}, got {dict(told)}")
    if type(told["published"]) not in (str, int, float):
        raise ValueError(f"{where} has published: {told['published']!r}; give the paper's words or its number")
    if odd := [text for text in texts if re.search(r"\{\w+\}", text)]:
        raise ValueError(f"{where} has {odd[0]!r}; {{data}} in ids and {{title}} in sentences want a group with sets of data")
    check_name(name, f"the id of {where}")
    judged = rule(told["rule"], where)
    return Claim(name, part, told["source"], told["where"], told["says"], told["published"], judged, told["data"])


def judge(claim: Claim, values: Sequence[float], *, scale: str) -> dict:
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
    row = claim._asdict() | {
        "measured": round(statistics.fmean(finite), 6) + 0.0 if finite else None,  # + 0.0: rounding noise has no sign
        "spread": round(statistics.stdev(finite), 6) if len(finite) > 1 else None,
        "seeds": len(values),
        "scale": scale,
        "data": claim.data + lost,
        "rule": claim.rule.says,
        "verdict": verdict,
    }
    return {name: row[name] for name in COLUMNS}


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
    """Return the rows as a text table: verdict, id, what was measured, what was claimed and published."""
    lines, longest = [], max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        spread = "" if row["spread"] is None else f" ± {row['spread']:.3g}"
        measured = "none" if row["measured"] is None else f"{row['measured']:.{DIGITS}g}{spread}"
        start = f"{row['verdict']:<17} {row['id']:<{longest}} {measured:<18} n={row['seeds']:<3} "
        lines.append(_beside(start, [_sentence(row)], width))
    return "\n".join(lines)


def _sentence(told: Mapping) -> str:
    """Return in words what a claim, or a row, says, where it stands, and what was published."""
    return f"{told['says']} [{told['source']}, {told['where']}]; published: {told['published']}"


def _beside(start: str, texts: list[str], width: int) -> str:
    """Return texts wrapped to a width, each on lines of its own, beside the start of the first."""
    first, *rest = [line for text in texts for line in textwrap.wrap(text, width)]
    return "\n".join([start + first, *(" " * len(start) + line for line in rest)])
