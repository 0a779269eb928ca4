"""Copy the source of every notebook, without outputs, to build/notebooks, on which the stages depend.

Saving a notebook with new outputs in JupyterLab therefore reruns nothing.
"""

import shutil
from pathlib import Path

from lib.processes import die_with_parent
from pipelines.stage_environment import set_environment

set_environment()

import nbformat  # noqa: E402

from pipelines.notebook_file import source, write  # noqa: E402

TARGET, PARTIAL = Path("build/notebooks"), Path("build/partial/notebooks")


def main() -> None:
    """Write all clean copies, then put the folder in place."""
    die_with_parent()
    shutil.rmtree(PARTIAL, ignore_errors=True)
    for path in sorted(Path("notebooks").rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            write(source(nbformat.read(path, as_version=4)), PARTIAL / path.relative_to("notebooks"))
    shutil.rmtree(TARGET, ignore_errors=True)
    PARTIAL.rename(TARGET)


if __name__ == "__main__":
    main()
