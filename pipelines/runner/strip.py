"""Copy the source of every notebook, without outputs, to build/notebooks, and beside it what code of ours it runs.

Stages depend on both: saving a notebook with new outputs in JupyterLab reruns nothing, and a change in lib reruns what imports
it. Every stage waits for this one, which runs when a name in any file of parameters changes; so it refuses what is no name
before a shell reads it, by `dvc repro` too, and claims by which nothing could be judged.
"""

import sys
from pathlib import Path

from lib.core.processes import die_with_parent
from pipelines.runner.stage_environment import set_environment

set_environment()

from lib.workbook import claims, runs  # noqa: E402
from pipelines.runner import outcome  # noqa: E402
from pipelines.runner.imports import Modules  # noqa: E402
from pipelines.runner.notebook_file import read_notebook, source, write  # noqa: E402

TARGET, PARTIAL = Path("build/notebooks"), Path("build/partial/notebooks")


def strip() -> int:
    """Write all clean copies, then put the folder in place.

    Errors: StageError that names every notebook that is none, ValueError for parameters and claims that are none.
    """
    runs.parameters(Path.cwd())
    check_claims(Path())
    runs.remove(PARTIAL)
    faults, modules = [], Modules(Path())
    for path in sorted(Path("notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        try:
            book, place = source(read_notebook(path)), PARTIAL / path.relative_to("notebooks")
            write(book, place)
            runs.write_json(place.with_suffix(".imports"), modules.of_notebook(book))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise outcome.StageError("\n  ".join(faults))
    runs.remove(TARGET)
    PARTIAL.rename(TARGET)
    return 0


def check_claims(root: Path) -> None:
    """Read the claims of every study, so that a slip in a rule is told before anything runs, and not after half an hour."""
    for path in runs.papers(root):
        for study in runs.read_yaml(path).get("studies") or {}:
            claims.read(path.with_name("claims.yaml"), study)


def main() -> int:
    """Do so; say in one message what stands in the way."""
    die_with_parent()
    return outcome.main_of(strip, "stage strip failed")


if __name__ == "__main__":
    sys.exit(main())
