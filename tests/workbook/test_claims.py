"""Verdicts follow from rules, and what is not a row is refused."""

import json

import pytest

from lib.workbook import claims

CLAIM = claims.Claim(
    "a_claim", "information", "saxe2018information", "Fig. 1", "it is so", 0.1, claims.above(0.1, "score"), "toy"
)


def verdict(rule, values):
    return claims.judge(CLAIM._replace(rule=rule), values, scale="embedded")["verdict"]


@pytest.mark.parametrize(
    ("rule", "values", "want"),
    [
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2, 0.0], "holds"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.0, 0.0], "fails"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2], "not at this scale"),
        (claims.above(0.1, "v"), [0.2, 0.2, 0.2, 0.2, float("nan")], "fails"),
        (claims.below(0.1, "v"), [0.0, 0.0, 0.0, 0.0, 9.0], "holds"),
        (claims.below(0.1, "v"), [0.0, 0.0, 0.0, 9.0, 9.0], "fails"),
        (claims.close(1.0, "v", within=0.1), [0.5, 1.5, 1.0, 1.0, 1.05], "holds"),
        (claims.close(1.0, "v", within=0.1), [1.2, 1.2, 1.2, 1.2, 1.2], "fails"),
        (claims.between((0.0, 2.5), "v"), [1.0, 1.0, 1.0, 1.0, -1.0], "holds"),
        (claims.between((0.0, 2.5), "v"), [1.0, 1.0, 1.0, 2.5, 3.0], "fails"),
        (claims.between((0.0, 2.5), "v"), [1.0, 1.0, 1.0, -1.0, 0.0], "fails"),
        (claims.exact(1e-6, "v"), [1e-9], "holds"),
        (claims.exact(1e-6, "v"), [1e-9, 1e-3], "fails"),
        (claims.mean_above(0.0, "v"), [1.0, 2.0, 1.5, 1.2, 1.8], "holds"),
        (claims.mean_above(0.0, "v"), [1.0, -2.0, 1.5, 1.2, -0.8], "fails"),
        (claims.mean_above(0.0, "v"), [1.0, 2.0, 1.5, 1.2], "not at this scale"),
        (claims.spread_above(0.1, "v"), [0.0, 0.3, 0.1, 0.6, 0.2], "holds"),
        (claims.spread_above(0.1, "v"), [0.2, 0.25, 0.2, 0.22, 0.21], "fails"),
        (claims.chance_below(0.05, "v"), [0.1, 0.2, 0.1, 0.2, 0.1], "holds"),
        (claims.chance_below(0.05, "v"), [0.5, 0.2, 0.7, 0.2, 0.6], "fails"),
    ],
)
def test_verdicts(rule, values, want):
    assert verdict(rule, values) == want


def test_a_row_holds_mean_spread_seeds_and_what_diverged():
    row = claims.judge(CLAIM, [1.0, 2.0, 3.0, float("nan"), 2.0], scale="paper")
    assert (row["measured"], row["seeds"], row["scale"], row["data"]) == (2.0, 5, "paper", "toy (1 of 5 not finite)")
    assert row["spread"] == pytest.approx(0.816497)
    assert row["rule"] == "score > 0.1 in at least 80% of the seeds"


def test_what_is_rounded_away_has_no_sign():
    row = claims.judge(CLAIM, [-1e-15] * 5, scale="embedded")
    assert str(row["measured"]) == "0.0" and " 0 ± 0 " in claims.table([row])


@pytest.mark.parametrize(("values", "want"), [((0.168434, -0.1), 1e-4), ((12.0, 9.0), 1e-2), ((4738.2,), 1.0), ((0.0,), 1e-6)])
def test_the_unit_is_that_of_the_last_digit_printed(values, want):
    assert claims.unit(*values) == pytest.approx(want)


def test_writes_rows_and_metrics(tmp_path):
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded")
    claims.write(tmp_path, [row])
    assert json.loads((tmp_path / "claims.json").read_text()) == [row]
    assert json.loads((tmp_path / "metrics.json").read_text())["verdicts"] == {"holds": 1, "fails": 0, "not at this scale": 0}
    assert "holds             a_claim" in claims.table([row]) and "Fig. 1]; published: 0.1" in claims.table([row])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": 1}, "wrong columns: \\['extra'\\]"),
        ({"part": "magic"}, "part 'magic'"),
        ({"verdict": "yes"}, "verdict 'yes'"),
    ],
)
def test_refuses_what_is_not_a_row(change, message):
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded")
    with pytest.raises(ValueError, match=message):
        claims.check([row | change], "toy")


def test_refuses_an_id_twice():
    row = claims.judge(CLAIM, [1.0] * 5, scale="embedded")
    with pytest.raises(ValueError, match="more than one claim named a_claim"):
        claims.check([row, row], "toy")


TOLD = """
toy:
  - source: saxe2018information
    where: Fig. 1
    data: {red: red toys, blue: blue toys}
    rule: {above: 0.1, of: way}
    claims:
      "{data}_moves": {says: "{title} move", published: far}
      "{data}_rolls": {says: they roll, published: 0.2, rule: {between: [0, 1], of: turns, share: 0.6, least: 3}}
  - claims:
      one: {source: tishby2000information, where: eq. 1, says: so, published: so, data: all, rule: {exact: 1e-6, of: rest}}
"""


@pytest.fixture
def told(tmp_path):
    """Return where claims lie that are read from the text given."""

    def at(text: str = TOLD):
        path = tmp_path / "information/toy/claims.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return at


def test_reads_every_claim_set_by_set(told):
    ledger = claims.read(told(), "toy")
    assert list(ledger.claims) == ["red_moves", "red_rolls", "blue_moves", "blue_rolls", "one"]
    moves, rolls, one = (ledger.claims[name] for name in ("red_moves", "blue_rolls", "one"))
    assert moves[:6] == ("red_moves", "information", "saxe2018information", "Fig. 1", "red toys move", "far")
    assert (moves.data, rolls.data, one.data, one.source) == ("red toys", "blue toys", "all", "tishby2000information")
    assert moves.rule.says == "way > 0.1 in at least 80% of the seeds" and one.rule.says == "|rest| <= 1e-06 in every case"
    assert rolls.rule.says == "0 < turns < 1 in at least 60% of the seeds" and (rolls.rule.least, one.rule.least) == (3, 1)
    assert list(claims.read(told(), "toy", ["blue"]).claims) == ["blue_moves", "blue_rolls", "one"]


def test_shows_each_claim_with_its_rule(told):
    lines = claims.read(told(), "toy", ["red"]).table(width=40).splitlines()
    assert lines[0] == "red_moves red toys move [saxe2018information, Fig."
    assert lines[2].strip() == "holds if way > 0.1 in at least 80% of" and lines[2].startswith(" " * 10)


def test_judges_what_has_claims_and_nothing_else(told):
    ledger = claims.read(told(), "toy", ["red"])
    values = {"red_moves": [1.0] * 5, "red_rolls": [0.5, 2.0, 0.5], "one": []}
    rows = ledger.judge(values, scale="smoke")
    assert [(row["id"], row["verdict"]) for row in rows] == [
        ("red_moves", "holds"),
        ("red_rolls", "holds"),
        ("one", "not at this scale"),
    ]
    assert claims.check(rows, "toy") == rows
    with pytest.raises(ValueError, match="claims of toy without values: one; values of no claim: two;"):
        ledger.judge({"red_moves": [], "red_rolls": [], "two": []}, scale="smoke")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("above: 0.1", "abov: 0.1", "rule {'abov': 0.1, 'of': 'way'} of claim '{data}_moves' of .*claims.yaml: toy must be"),
        ("of: way", "off: way", "must be {NAME: bar, of: what is compared} with one NAME of above, below,"),
        ("of: way", "of: way, within: 1", "beside it nothing is needed, and least, share allowed"),
        ("above: 0.1", "above: 0.1, below: 1", "must be {NAME: bar"),
        ("above: 0.1", "above: much", "needs numbers"),
        ("above: 0.1", "above: true", "needs numbers"),
        ("above: 0.1", "above: .nan", "needs numbers"),
        ("above: 0.1", "above: [0, 1]", "needs numbers"),
        ("[0, 1]", "[0, 1, 2]", "needs two numbers"),
        ("[0, 1]", "1", "needs two numbers"),
        ("share: 0.6", "share: 80", "has share: 80, which is no share of the seeds"),
        ("share: 0.6", "share: most", "needs numbers"),
        ("least: 3", "least: 0", "least: 0 is no number of seeds"),
        ("above: 0.1", "spread_above: 0.1, least: 1", "least: 1 is no number of seeds for it; give 2 or more"),
        ("above: 0.1", "close: 0.1", "beside it within is needed"),
        ("above: 0.1", "close: 0.1, within: -1", "a tolerance below 0"),
        ("exact: 1e-6", "exact: -1", "a tolerance below 0"),
        ("[0, 1]", "[1, 0]", "the low one first"),
        ("one: {", "one:\n      two: {", "claim 'one' of .* must hold `name: value` lines, got None"),
        ("red: red toys", "red: 2020", "data with the title 2020; write it as text: '2020'"),
        ("published: far", "published: [far]", "has published: .'far'.; give the paper's words or its number"),
        ("published: far", "published: null", "has published: None"),
        ("one:", '"{data}_one":', "has '{data}_one'; {data} in ids"),
        ('"{data}_moves"', '"{date}_moves"', "has '{date}_moves'; {data} in ids"),
        ("says: so", 'says: "so {title}"', "has 'so {title}'"),
        ("one:", '"../one":', "the id of claim '../one' of .*claims.yaml: toy is"),
        (TOLD, "toy: {one: 1}", "toy must be a list of groups"),
        ("where: eq. 1, ", "", "claim 'one' of .* has or lacks where; a claim has data, published,"),
        ("published: far", "published: far, by: me", "claim '{data}_moves' of .* has or lacks by"),
        ("says: so", "says: [so]", "claim 'one' of .* must have texts"),
        ("data: all", "data: 3", "claim 'one' of .* must have texts"),
        ("rule: {exact: 1e-6, of: rest}", "rule: exact", "claim 'one' of .* must have texts and a rule"),
        ('"{data}_rolls"', "red_moves", "more than one claim named red_moves"),
        ("  - claims:", "  - claim:", "a group of .* must hold `claims:`"),
        ("toy:", "toys:", "has no claims of 'toy'; it has those of toys"),
    ],
)
def test_refuses_what_is_no_claim(told, old, new, message):
    assert old in TOLD
    path = told(TOLD.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        claims.read(path, "toy")


def test_refuses_claims_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"claims\.yaml does not exist; the claims of toy stand there, `toy: \[\]` where"):
        claims.read(tmp_path / "claims.yaml", "toy")


def test_refuses_data_of_which_no_claim_is(told):
    with pytest.raises(ValueError, match="has no claims of toy on green; it has those on blue, red"):
        claims.read(told(), "toy", ["red", "green"])
