"""What nbval is asked to do, it can fail at: wrong outputs, and notebooks that never ran."""

import re
import subprocess
import sys

import nbformat
import pytest

from tests import ROOT

pytestmark = pytest.mark.programs

TABLE = "import pandas as pd\npd.DataFrame({'rmse': [0.15, 10.0], 'n': [5, 12]}, ['plain', 'vib'])"
PLAIN = "        rmse   n\nplain   0.15   5\nvib    10.00  12"
NARROW = "       rmse   n\nplain  0.16   5\nvib    9.99  12"
PAGE = """<div>
<style scoped>
    .dataframe tbody tr th:only-of-type {
        vertical-align: middle;
    }

    .dataframe tbody tr th {
        vertical-align: top;
    }

    .dataframe thead th {
        text-align: right;
    }
</style>
<table border="1" class="dataframe">
  <thead>
    <tr style="text-align: right;">
      <th></th>
      <th>rmse</th>
      <th>n</th>
    </tr>
  </thead>
  <tbody>
    <tr>
      <th>plain</th>
      <td>0.15</td>
      <td>5</td>
    </tr>
    <tr>
      <th>vib</th>
      <td>10.00</td>
      <td>12</td>
    </tr>
  </tbody>
</table>
</div>"""


def table(plain, page):
    return [nbformat.v4.new_output("execute_result", {"text/plain": plain, "text/html": page}, execution_count=1)]


def printed(text):
    return [nbformat.v4.new_output("stream", text=f"{text}\n")]


@pytest.mark.usefixtures("workbook")  # nbval runs in it
def test_outputs_pass_that_differ_in_the_rounding_of_a_last_digit_and_no_others(tmp_path):
    same = [
        ("print('rmse 0.150, 5 seeds')", printed("rmse 0.151, 5 seeds")),
        (TABLE, table(PLAIN, PAGE)),
        (
            TABLE,
            table("       rmse   n\nplain  0.16   5\nvib    9.99  12", PAGE.replace("0.15", "0.16").replace("10.00", "9.99")),
        ),
    ]
    other = [
        ("print('rmse 0.150, 5 seeds')", printed("rmse 0.152, 5 seeds")),
        ("print('rmse 0.150, 5 seeds')", printed("rmse 0.150, 6 seeds")),
        ("print('rmse 0.150, 5 seeds')", printed("rmsd 0.150, 5 seeds")),
        ("print('rmse nan, 5 seeds')", printed("rmse 0.150, 5 seeds")),
        ("print(1.2e-05)", printed("1.2e-04")),
        ("pass", printed("0.150")),
        ("print(0.15)", []),
        ("print(0.15), print(0.15, file=__import__('sys').stderr)", printed("0.15")),
        (TABLE, table(PLAIN, PAGE.replace("10.00", "10.02"))),
        (TABLE, table(PLAIN.replace("\nvib    10.00  12", ""), PAGE)),
    ]
    cells = [nbformat.v4.new_code_cell(code, execution_count=1, outputs=stored) for code, stored in same + other]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    command = ["pytest", "-v", "--nbval", "--nbval-current-env", "-p", "tests.nbval_scratch", str(tmp_path / "small.ipynb")]
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    verdicts = re.findall(r"Cell (\d+) (PASSED|FAILED)", done.stdout)
    wanted = ["PASSED"] * len(same) + ["FAILED"] * len(other)
    assert verdicts == [(str(i), verdict) for i, verdict in enumerate(wanted)], done.stdout[-4000:]
    assert "a number differs: 0.152, now 0.150" in done.stdout


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
