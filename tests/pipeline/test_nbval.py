"""What nbval is asked to do, it can fail at: wrong outputs, and notebooks that never ran."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("workbook")  # nbval runs in it
@pytest.mark.parametrize(
    ("text", "count", "code", "said"),
    [
        ("2\n", 1, 0, "1 passed"),
        ("3\n", 1, 1, "1 failed"),
        (None, None, 4, "code cells without outputs of a run; `make notebooks` adds them"),
    ],
)
def test_nbval_checks_outputs_and_refuses_notebooks_that_never_ran(tmp_path, text, count, code, said):
    outputs = [nbformat.v4.new_output("stream", text=text)] if text else []
    cell = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=count, outputs=outputs)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "small.ipynb")
    command = ["pytest", "--nbval", "--nbval-current-env", "-p", "tests.nbval_scratch", str(tmp_path / "small.ipynb")]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == code and said in done.stdout + done.stderr, done.stdout[-2000:] + done.stderr[-2000:]
