"""Print the claims table of the last run, and where its report is.

python -m pipelines.ledger            also names verdicts that differ from the expected ones
python -m pipelines.ledger --accept   stores the last run's verdicts as the expected ones of its scale; of an embedded run also
                                      reports/verdicts.md and README's figures
"""

import shutil
import sys
from pathlib import Path

from lib.workbook import claims, runs
from pipelines.reporting.bibliography import works
from pipelines.runner import outcome

CLAIMS, EXPECTED, REPORT = Path("reports/claims.json"), Path("reports/expected.json"), Path("reports/index.html")
PAGE = Path("reports/verdicts.md")
FIGURES = Path("reports/figures")  # of README: those that studies name as their hero


def flips(rows: list[dict]) -> list[str]:
    """Return a line for every verdict that differs from the stored expectation of its scale."""
    expected = runs.read_json(EXPECTED) if EXPECTED.exists() else {}
    stored = {row["id"]: expected.get(row["scale"], {}).get(row["id"]) for row in rows}
    return [
        f"{row['id']}: expected {stored[row['id']]!r}, now {row['verdict']!r}"
        for row in rows
        if stored[row["id"]] != row["verdict"]
    ]


def accept() -> None:
    """Store the verdicts of the last run; what other scales expect stays."""
    rows = runs.read_json(CLAIMS)
    expected = runs.read_json(EXPECTED) if EXPECTED.exists() else {}
    for scale in {row["scale"] for row in rows}:
        expected[scale] = {row["id"]: row["verdict"] for row in rows if row["scale"] == scale}
    runs.write_json(EXPECTED, expected)
    if "embedded" in {row["scale"] for row in rows}:
        PAGE.write_text(page(rows))
        for name, study in runs.parameters(Path.cwd())["studies"].items():
            if "hero" in study:
                FIGURES.mkdir(exist_ok=True)
                figure = Path("reports/studies") / study["paper"] / name / f"figures/{study['hero']}.svg"
                shutil.copy(figure, FIGURES / figure.name)


def page(rows: list[dict]) -> str:
    """Return as Markdown what papers ask, how many claims of each work hold, and every claim, a section for each work."""
    from pipelines.reporting import papers  # reads notebooks, which nothing else here does

    sources, titles = list(dict.fromkeys(row["source"] for row in rows)), works()
    lines = ["# Verdicts", "", "What `make repro` finds at the embedded scale; values, spreads and rules: `make claims`.", ""]
    lines += [*papers.table(Path()), ""]
    lines += [f"| {' | '.join(['work', *claims.VERDICTS])} |", "|---" * (len(claims.VERDICTS) + 1) + "|"]
    for source in sources:
        found = [row["verdict"] for row in rows if row["source"] == source]
        counts = " | ".join(str(found.count(verdict)) for verdict in claims.VERDICTS)
        lines.append(f"| [{titles[source]['title']}](#{source}) ({titles[source]['year']}) | {counts} |")
    for source in sources:
        lines += ["", f"## {source}", "", "| claim | says | data | verdict |", "|---|---|---|---|"]
        mine = [row for row in rows if row["source"] == source]
        lines += [
            f"| `{row['id']}` | {row['says'].replace('|', '&#124;')} | {row['data']} | {row['verdict']} |" for row in mine
        ]
    return "\n".join(lines) + "\n"


def show() -> None:
    """Print report path, table and flips."""
    rows = runs.read_json(CLAIMS)
    print(f"\nreport: {REPORT.resolve()}\n")
    print(claims.table(rows))
    for line in flips(rows):
        print(f"differs from {EXPECTED}: {line}")


def main() -> int:
    """Accept or print."""
    accept() if sys.argv[1:] == ["--accept"] else show()
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make claims"))
