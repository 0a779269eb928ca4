"""JupyterLab asks for its token, and offers this environment's kernel only."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@contextmanager
def server(folder: Path, home: Path):
    """A JupyterLab of the workbook in a folder, with a planted kernel; yields address and token."""
    planted = home / "planted/kernels/planted"
    planted.mkdir(parents=True)
    (planted / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "planted", "language": "python"}))
    environment = os.environ | {
        "HOME": str(home),
        "PYTHONPATH": str(folder),  # a copy's notebooks import the copy's code
        "JUPYTER_PATH": str(home / "planted"),
        "JUPYTER_RUNTIME_DIR": str(home / "run"),
    }
    options = ["--config=pipelines/jupyter_config.py", "--no-browser", "--port=0", "--allow-root"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "jupyterlab", *options], cwd=folder, env=environment, stderr=log)
    try:
        until = time.monotonic() + 90
        while not (found := re.search(r"(http://127\.0\.0\.1:\d+)/lab\?token=(\w+)", (home / "log").read_text())):
            assert time.monotonic() < until and process.poll() is None, (home / "log").read_text()
            time.sleep(0.2)
        yield found[1], found[2]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with server(ROOT, tmp_path_factory.mktemp("home")) as where:
        yield where


def asked(address: str, token: str = "") -> dict:
    headers = {"Authorization": f"token {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30) as answer:
        return json.load(answer)


def test_nothing_is_told_without_the_token(lab):
    for path in ("kernelspecs", "contents/params.yaml"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(f"{lab[0]}/api/{path}")
        assert refused.value.code == 403
        refused.value.close()


def test_only_this_environments_kernel_is_offered(lab):
    specs = asked(f"{lab[0]}/api/kernelspecs", lab[1])["kernelspecs"]
    assert list(specs) == ["python3"]


def test_the_workbook_is_what_it_serves(lab):
    assert asked(f"{lab[0]}/api/contents/notebooks/start_here.ipynb?content=0", lab[1])["name"] == "start_here.ipynb"
