"""Verdicts follow from rules, and the ledger refuses what is not a row."""

import json
import re

import pytest

from lib.workbook import claims, runs
from pipelines import ledger
from tests import ROOT

CLAIM = claims.Claim("a_claim", "information", "saxe2018information", "Fig. 1", "it is so", 0.1, claims.above(0.1, "score"))


def verdict(rule, values):
    return claims.judge(CLAIM._replace(rule=rule), values, scale="embedded", data="toy")["verdict"]


@pytest.mark.parametrize(
    ("rule", "values", "want"),
    [
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2, 0.0], "holds"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.0, 0.0], "fails"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2], "not at this scale"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2, float("nan")], "fails"),
        (claims.below(0.1, "v"), [0.0, 0.0, 0.0, 0.0, 9.0], "holds"),
        (claims.below(0.1, "v"), [0.0, 0.0, 0.0, 9.0, 9.0], "fails"),
        (claims.close(1.0, 0.1, "v"), [0.5, 1.5, 1.0, 1.0, 1.05], "holds"),
        (claims.close(1.0, 0.1, "v"), [1.2, 1.2, 1.2, 1.2, 1.2], "fails"),
        (claims.between(0.0, 2.5, "v"), [1.0, 1.0, 1.0, 1.0, -1.0], "holds"),
        (claims.between(0.0, 2.5, "v"), [1.0, 1.0, 1.0, 2.5, 3.0], "fails"),
        (claims.between(0.0, 2.5, "v"), [1.0, 1.0, 1.0, -1.0, 0.0], "fails"),
        (claims.exact(1e-6, "v"), [1e-9], "holds"),
        (claims.exact(1e-6, "v"), [1e-9, 1e-3], "fails"),
    ],
)
def test_verdicts(rule, values, want):
    assert verdict(rule, values) == want


def test_a_row_holds_mean_spread_seeds_and_what_diverged():
    row = claims.judge(CLAIM, [1.0, 2.0, 3.0, float("nan"), 2.0], scale="paper", data="toy")
    assert (row["measured"], row["seeds"], row["scale"], row["data"]) == (2.0, 5, "paper", "toy (1 of 5 not finite)")
    assert row["spread"] == pytest.approx(0.816497)
    assert row["rule"] == "score > 0.1 in at least 80% of the seeds"


def test_what_is_rounded_away_has_no_sign():
    row = claims.judge(CLAIM, [-1e-15] * 5, scale="embedded", data="toy")
    assert str(row["measured"]) == "0.0" and " 0 ± 0 " in claims.table([row])


@pytest.mark.parametrize(("values", "want"), [((0.168434, -0.1), 1e-4), ((12.0, 9.0), 1e-2), ((4738.2,), 1.0), ((0.0,), 1e-6)])
def test_the_unit_is_that_of_the_last_digit_printed(values, want):
    assert claims.unit(*values) == pytest.approx(want)


def test_writes_rows_and_metrics(tmp_path):
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded", data="toy")
    claims.write(tmp_path, [row])
    assert json.loads((tmp_path / "claims.json").read_text()) == [row]
    assert json.loads((tmp_path / "metrics.json").read_text())["verdicts"] == {"holds": 1, "fails": 0, "not at this scale": 0}
    assert "holds             a_claim" in claims.table([row])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "wrong columns: \\['extra'\\]"),
        ({"part": "magic"}, "part 'magic'"),
        ({"verdict": "yes"}, "verdict 'yes'"),
    ],
)
def test_refuses_what_is_not_a_row(change, message):
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded", data="toy")
    with pytest.raises(ValueError, match=message):
        claims.check([row | change], "toy")


def test_refuses_an_id_twice():
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded", data="toy")
    with pytest.raises(ValueError, match="more than one claim named a_claim"):
        claims.check([row, row], "toy")


def verdicts():
    """Claims and their verdicts by the work that made them, as reports/verdicts.md has them."""
    page = (ROOT / "reports/verdicts.md").read_text()
    sections = re.split(r"^## (\w+)$", page, flags=re.M)[1:]
    found = [re.findall(r"^\| `(\w+)`.*\| ([\w ]+) \|$", text, re.M) for text in sections[1::2]]
    return dict(zip(sections[::2], map(dict, found), strict=True))


def test_the_verdicts_that_are_told_are_those_expected():
    expected = runs.read_json(ROOT / "reports/expected.json")["embedded"]
    assert {name: verdict for rows in verdicts().values() for name, verdict in rows.items()} == expected


def test_the_page_is_as_accepting_the_verdicts_writes_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = (ROOT / "reports/verdicts.md").read_text()
    told = re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \| ([\w ]+) \|$", text, re.M)
    of = {name: source for source, rows in verdicts().items() for name in rows}
    rows = [{"id": i, "source": of[i], "says": says, "data": data, "verdict": v} for i, says, data, v in told if i in of]
    asked = re.compile(r"^(\| `\w+` \| ).*?( \| \[\w+\]\(#\w+\).*)$", re.M)  # it may be put better before the next run
    assert asked.sub(r"\1\2", ledger.page(rows)) == asked.sub(r"\1\2", text), "after make repro: pipelines.ledger --accept"


def test_the_page_counts_the_verdicts_of_every_work():
    text = (ROOT / "reports/verdicts.md").read_text()
    counted = re.findall(r"^\| .*\(#(\w+)\) \(\d{4}\) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.M)
    told = {source: tuple(map(int, numbers)) for source, *numbers in counted}
    of = lambda rows: tuple(list(rows.values()).count(verdict) for verdict in claims.VERDICTS)  # noqa: E731
    assert told == {source: of(rows) for source, rows in verdicts().items()}
