"""Print where everything lies that belongs to a paper, a path a line.

python -m pipelines.where PAPER
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from lib.workbook import runs
from pipelines.reporting import papers
from pipelines.reporting.bibliography import works
from pipelines.runner import outcome

SECTIONS = ("networks", "runs", "studies", "sweeps")  # sections whose stages can be a paper's


def belongings(paper: str, root: Path) -> dict[str, list[str]]:
    """Return heading -> lines, those headings alone under which there is something. Errors: ValueError for an unknown paper."""
    known = papers.folders(root)
    if paper not in known:
        raise ValueError(f"no paper {paper!r}; there are: {', '.join(known)} (the folders notebooks/PART/PAPER)")
    keys, (found, verdicts) = papers.sources(paper, root), papers.verdicts(paper, root)
    titles = works(root / "references.bib")
    lines = {
        "notebooks": _told(papers.notebooks(paper, root)),
        "parameters": _told(sorted(path.relative_to(root) for path in (root / known[paper]).glob("*.yaml"))),
        "experiments": _modules(root, "lib/experiments", paper),
        "tests": _modules(root, "tests/experiments", paper, "test_"),
        "stages": stages(known[paper], root),
        "reads": _reads(paper, root / known[paper]),
        "results": _results(paper, known[paper], root),
        "recorded": _found(root, "reports/recorded", [f"{paper}.json", f"{paper}-*.json"]),
        "works": [f"{key}: {titles[key]['title']} ({titles[key]['year']})" for key in keys],
        "claims": [f"{papers.counted(verdicts)}, {found}"] if verdicts else [],
        "methods": [f"{path}: {', '.join(names)}" for path, names in papers.methods(keys, root).items()],
    }
    return {heading: told for heading, told in lines.items() if told}


def stages(place: Path, root: Path) -> list[str]:
    """Return the names of the stages that run the notebooks of a paper's folder, or compute for it."""
    params, found = runs.parameters(root), []
    for name, stage in runs.read_yaml(root / "dvc.yaml")["stages"].items():
        section = stage.get("foreach", "").strip("${}")
        entries = params[section] if section in SECTIONS else {}
        found += [f"{name}@{key}" for key, entry in entries.items() if _belongs(entry, place)]
    return found


def _belongs(entry: dict, place: Path) -> bool:
    notebook = Path("notebooks", entry.get("notebook", ""))
    return entry.get("paper") == place.name or notebook.parent == place


def _reads(paper: str, folder: Path) -> list[str]:
    """Return the data and the results of other papers that its runs and studies read."""
    told = runs.read_yaml(folder / "params.yaml")
    found = [entry["reads"] for kind in ("runs", "studies") for entry in (told.get(kind) or {}).values()]
    return [place for place in dict.fromkeys(found) if not f"{place}/".startswith(f"runs/{paper}/")]


def _results(paper: str, place: Path, root: Path) -> list[str]:
    """Return the folders of its results, those that its parameters promise; what is not there is said to be missing."""
    told = runs.read_yaml(root / place / "params.yaml")
    promised = [f"runs/{paper}"] * bool(told.get("runs") or told.get("networks"))
    promised += [f"reports/studies/{paper}"] * bool(told.get("studies"))
    return [folder if (root / folder).is_dir() else f"{folder}: not run yet" for folder in promised]


def _modules(root: Path, folder: str, paper: str, start: str = "") -> list[str]:
    """Return the one module, or those of the folder, that has a paper's name."""
    found = _found(root, folder, [f"{start}{paper}.py", f"{paper}/**/*.py"])
    return [path for path in found if (root / path).stat().st_size]


def _found(root: Path, folder: str, patterns: Iterable[str]) -> list[str]:
    return _told(sorted(path.relative_to(root) for pattern in patterns for path in (root / folder).glob(pattern)))


def _told(paths: Iterable[Path]) -> list[str]:
    return [path.as_posix() for path in paths]


def main(argv: list[str] | None = None) -> int:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paper")
    for heading, lines in belongings(parser.parse_args(argv).paper, Path()).items():
        print("\n  ".join([heading, *lines]))
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make where"))
