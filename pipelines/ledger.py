"""Print the claims table of the last run, and where its report is.

python -m pipelines.ledger   also names verdicts that differ from those that were accepted (make accept)
"""

import sys
from pathlib import Path

from lib.workbook import claims, runs
from pipelines.reporting.bibliography import works
from pipelines.runner import outcome

CLAIMS, REFERENCE, REPORT = Path("reports/claims.json"), Path("reports/reference.json"), Path("reports/index.html")
PAGE = Path("reports/verdicts.md")


def flips(rows: list[dict]) -> list[str]:
    """Return a line for every verdict that differs from the accepted one of its scale."""
    accepted = runs.read_json(REFERENCE) if REFERENCE.exists() else {}
    known = {scale: state["claims"] for scale, state in accepted.items()}
    stored = {row["id"]: known.get(row["scale"], {}).get(row["id"], {}).get("verdict") for row in rows}
    return [
        f"{row['id']}: expected {stored[row['id']]!r}, now {row['verdict']!r}"
        for row in rows
        if stored[row["id"]] != row["verdict"]
    ]


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


def main() -> int:
    """Print report path, table and flips."""
    rows = runs.read_json(CLAIMS)
    print(f"\nreport: {REPORT.resolve()}\n")
    print(claims.table(rows))
    for line in flips(rows):
        print(f"differs from {REFERENCE}: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make claims"))
