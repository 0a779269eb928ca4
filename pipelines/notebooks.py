"""Rerun every committed notebook at smoke scale and store its normalised outputs in it.

python -m pipelines.notebooks           rewrites the notebooks
python -m pipelines.notebooks --check   writes nothing; exits 1 and names those whose bytes would change

An output that differs from the stored one in the rounding of a last digit alone stays as it is stored (runner/outputs.py).
"""

import argparse
import subprocess
import sys
from pathlib import Path

from pipelines.runner.stage_environment import set_environment

set_environment()


from lib.core.progress import bar  # noqa: E402
from pipelines.runner import outcome, terminal, warm, workspace  # noqa: E402
from pipelines.runner.notebook_file import clean, read_notebook, source, write  # noqa: E402
from pipelines.runner.outputs import settle  # noqa: E402


def committed() -> list[Path]:
    """Return the notebooks of the working copy."""
    return sorted(p for p in Path("notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)


def main() -> int:
    """Bring the smoke copy up to date, run each notebook there with its default parameters, compare or store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    with workspace.smoke() as copy:
        if status := workspace.run(copy, "pipelines.repro", "--quiet").returncode:
            return status
        with terminal.drawn(), warm.kernels(copy, workspace.environment()):
            changed = [path for path in bar(committed(), "notebooks") if rerun(path, copy, check)]
    for path in changed:
        print(
            f"{path}: {'outputs are not those of a fresh smoke run; `make notebooks` rewrites them' if check else 'rewritten'}"
        )
    return int(check and bool(changed))


def rerun(path: Path, copy: Path, check: bool) -> bool:
    """Run one notebook in the copy; return whether its bytes change."""
    result = Path("build/partial") / path.name
    write(source(read_notebook(path)), copy / result)
    workspace.run(copy, "pipelines.runner.kernel", str(result), check=True, stdout=subprocess.DEVNULL)
    fresh = clean(read_notebook(copy / result))
    settle(fresh, read_notebook(path))
    write(fresh, copy / result)
    changed = (copy / result).read_bytes() != path.read_bytes()
    if changed and not check:
        write(fresh, path)
    return changed


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make notebooks"))
