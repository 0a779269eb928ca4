"""JupyterLab fixes what figures and results depend on, and leaves a person's own habits alone."""

import json
import os
import subprocess
import sys

import pytest

from tests import ROOT

pytestmark = pytest.mark.programs


def test_a_notebook_opened_by_hand_keeps_its_owners_habits(tmp_path):
    """Stages shut them out; what Lab fixes is what figures and results depend on."""
    ask = "from traitlets.config.loader import PyFileConfigLoader as Load; "
    ask += "Load('pipelines/setup/jupyter_config.py').load_config()"
    ask += "; import json, os; print(json.dumps(dict(os.environ)))"
    own = {"SHELL": "/bin/zsh", "LC_ALL": "de_DE.UTF-8", "IPYTHONDIR": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "a.py")}
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, env=os.environ | own, capture_output=True, text=True)
    after = json.loads(done.stdout)
    assert {name: after.get(name) for name in own} == own
    assert after["PYTHONHASHSEED"] == "0" and after["MATPLOTLIBRC"].endswith("pipelines/runner/matplotlibrc")
