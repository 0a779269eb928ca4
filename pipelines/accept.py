"""Store what the last runs found as what later ones are compared with: verdicts, values, the bytes of every output.

python -m pipelines.accept [--here]   the run here, of its scale, and that of the copy at smoke scale; --here: the first alone

All goes to reports/reference.json, by scale; of an embedded run also reports/verdicts.md, README's table and figures.
"""

import argparse
import shutil
import sys
from pathlib import Path

from lib.core.processes import die_with_parent
from lib.workbook import runs, status
from pipelines import ledger, replay
from pipelines.reporting import papers
from pipelines.runner import outcome, workspace

FIGURES = Path("reports/figures")  # of README: those that studies name as their hero
README = Path("README.md")


def _finished(root: Path) -> dict:
    """Return what a replay of the run in a working copy is compared with.

    Errors: FileNotFoundError where none has ended; StageError where a stage is out of date.
    """
    runs.read_json(root / replay.CLAIMS)
    if stale := sorted(status.changed(root)):
        shown = ", ".join(stale[:5]) + (", ..." if len(stale) > 5 else "")
        raise outcome.StageError(f"{len(stale)} of the stages in {root.resolve()} are out of date ({shown}); make repro first")
    return replay.state(root)


def _of_smoke() -> dict:
    """Bring the copy at smoke scale up to date, and return what a replay of it is compared with."""
    with workspace.smoke() as copy:
        if code := workspace.run(copy, "pipelines.repro", "--quiet").returncode:
            raise outcome.StageError(f"the run at smoke scale in {copy} ended with {code}; see above for its message")
        return _finished(copy)


def show_embedded() -> None:
    """Write the page of verdicts and README's table of papers, and copy the figures that README shows."""
    ledger.PAGE.write_text(ledger.page(runs.read_json(replay.CLAIMS)))
    README.write_text(papers.with_papers(README.read_text(encoding="utf-8"), Path()), encoding="utf-8")
    for name, study in runs.parameters(Path.cwd()).get("studies", {}).items():
        if "hero" in study:
            FIGURES.mkdir(exist_ok=True)
            figure = Path("reports/studies") / study["paper"] / name / f"figures/{study['hero']}.svg"
            shutil.copy(figure, FIGURES / figure.name)


def main(argv: list[str] | None = None) -> int:
    """Store both, and say which claims are not as they were."""
    die_with_parent()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true")
    args = parser.parse_args(argv)
    scale = runs.parameters(Path.cwd())["scale"]
    found = {} if args.here or scale == "smoke" else {"smoke": _of_smoke()}
    found[scale] = _finished(Path.cwd())  # now, as the other run took minutes
    before = runs.read_json(replay.REFERENCE) if replay.REFERENCE.exists() else {}
    runs.write_json(replay.REFERENCE, before | found)
    if scale == "embedded":
        show_embedded()
    for name, state in found.items():
        odd = replay.moved(before.get(name, {}).get("claims", {}), state["claims"])
        print(f"{replay.REFERENCE}: {len(state['claims'])} claims at scale {name}, {len(odd)} of them not as before")
        for claim, (_, what) in odd.items():
            print(f"  {claim}: {what}")
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make accept"))
