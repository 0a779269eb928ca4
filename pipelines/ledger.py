"""Print the claims table of the last run, and where its report is."""

import sys
from pathlib import Path

from lib import claims, runs

CLAIMS, EXPECTED, REPORT = Path("reports/claims.json"), Path("reports/expected.json"), Path("reports/index.html")


def flips(rows: list[dict]) -> list[str]:
    """Return a line for every verdict that differs from the stored expectation of its scale."""
    expected = runs.read_json(EXPECTED)
    stored = {row["id"]: expected.get(row["scale"], {}).get(row["id"]) for row in rows}
    return [
        f"{row['id']}: expected {stored[row['id']]!r}, now {row['verdict']!r}"
        for row in rows
        if stored[row["id"]] != row["verdict"]
    ]


def show() -> None:
    """Print report path, table and flips."""
    rows = runs.read_json(CLAIMS)
    print(f"\nreport: {REPORT.resolve()}\n")
    print(claims.table(rows))
    for line in flips(rows):
        print(f"differs from {EXPECTED}: {line}")


if __name__ == "__main__":
    try:
        show()
    except FileNotFoundError as error:
        sys.exit(str(error))
