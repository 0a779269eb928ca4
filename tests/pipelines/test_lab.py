"""JupyterLab asks for its token, and offers this environment's kernel only."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright

from pipelines import lab as entry
from pipelines.runner.notebook_file import KERNELSPEC
from tests import ROOT
from tests.pipelines.test_report import CHROMIUM, browser
from tests.toy import Toy

pytestmark = pytest.mark.programs

START = "/lab/tree/notebooks/start_here.ipynb"


def listens(log: str) -> bool:
    """Say whether an address was printed at which connections are taken; it is printed a moment before."""
    told = re.search(r"127\.0\.0\.1:(\d+)", log)
    try:
        socket.create_connection(("127.0.0.1", int(told[1])), timeout=5).close()
    except (TypeError, OSError):
        return False
    return True


@contextmanager
def running(folder: Path, home: Path, options: str = "", **variables: str):
    """`make lab` in a folder, less make; yields what it prints, once it listens at the address that it has printed."""
    environment = os.environ | {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home / "run")} | variables
    environment["HOURGLASS_ARGS"] = f"--no-browser --port 0 {options}"
    environment.pop("PYTHONPATH", None)
    with (home / "log").open("w") as log:
        process = subprocess.Popen([sys.executable, "-m", "pipelines.lab"], cwd=folder, env=environment, stderr=log)
    try:
        until = time.monotonic() + 90
        while not listens((home / "log").read_text()):
            assert time.monotonic() < until and process.poll() is None, (home / "log").read_text()
            time.sleep(0.2)
        yield (home / "log").read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def server(folder: Path, home: Path):
    """A JupyterLab of the workbook in a folder, with a planted kernel; yields address and token."""
    planted = home / "planted/kernels/planted"
    planted.mkdir(parents=True)
    (planted / "kernel.json").write_text(json.dumps({"argv": ["false"], "display_name": "planted", "language": "python"}))
    with running(folder, home, JUPYTER_PATH=str(home / "planted")) as log:
        yield re.search(rf"(http://127\.0\.0\.1:\d+){START}\?token=(\w+)", log).groups()


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


def test_who_comes_by_ssh_is_told_the_tunnel(tmp_path):
    with running(ROOT, tmp_path, SSH_CONNECTION="192.0.2.1 4444 192.0.2.7 22", LOGNAME="ann") as log:
        port = re.search(r"127\.0\.0\.1:(\d+)", log)[1]
        assert f"on your own machine: ssh -N -L {port}:localhost:{port} ann@192.0.2.7 " in log
        assert ("JupyterLab runs as root: " in log) == (os.geteuid() == 0)


@pytest.mark.parametrize(
    "options",
    [
        "--ip 0.0.0.0 --IdentityProvider.token=''",
        "--ServerApp.ip=:: --ServerApp.token=",
        "--ip= --IdentityProvider.token=",
        "--ip 127.0.0.1 --IdentityProvider.token=''",
        "--ServerApp.sock={home}/sock --ServerApp.token=''",
        "--ip '*' --LabApp.open_browser=False --ServerApp.token=''",
    ],
)
def test_no_port_is_opened_without_a_token(tmp_path, options):
    given = options.replace("{home}", str(tmp_path)) if "sock" in options else f"--port 0 {options}"
    environment = os.environ | {"HOME": str(tmp_path), "HOURGLASS_ARGS": f"--no-browser {given}"}
    command = [sys.executable, "-m", "pipelines.lab"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 1 and "refused: without a token or password, whoever reaches " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and "is running at" not in done.stderr


def test_a_users_own_setting_opens_no_port_either(tmp_path):
    (tmp_path / ".jupyter").mkdir()
    (tmp_path / ".jupyter/jupyter_config.py").write_text("c.IdentityProvider.token = ''\nc.ServerApp.ip = '0.0.0.0'\n")
    test_no_port_is_opened_without_a_token(tmp_path, "")


@pytest.mark.parametrize(
    ("ip", "far"),
    [
        *((ip, False) for ip in ("localhost", "127.0.0.1", "127.8.8.8", "::1")),
        *((ip, True) for ip in ("", "*", "0.0.0.0", "::", "10.0.0.7", "example.org")),
    ],
)
def test_which_addresses_others_reach(ip, far):
    assert entry.reached_from_elsewhere(ip) == far


def test_options_are_words_and_an_open_quote_is_said():
    assert entry.words("--port 9000 --x='a b' ; rm $(x)") == ["--port", "9000", "--x=a b", ";", "rm", "$(x)"]
    with pytest.raises(ValueError, match="ARGS=--x 'a cannot be split into words: No closing quotation"):
        entry.words("--x 'a")


@browser
@pytest.mark.parametrize("name", ["plain", "my wörk: 2"])
def test_from_the_printed_address_to_a_cell_that_ran(tmp_path, name):
    copy = Toy(tmp_path / name).root
    cell = nbformat.v4.new_code_cell("import lib\nprint('from', lib.__file__)")
    book = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": KERNELSPEC})
    nbformat.write(book, copy / "notebooks/start_here.ipynb")
    home = tmp_path / "home"
    home.mkdir()
    with running(copy, home, PYTHONPATH="/nowhere") as log, sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1400, "height": 900})
        page.goto(re.search(rf"http://127\.0\.0\.1:\d+{START}\?token=\w+", log)[0])
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        expect(page.get_by_text(re.compile(r"Python 3.*\| Idle")).first).to_be_visible(timeout=60_000)
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        expect(page.locator(".jp-OutputArea-output").first).to_have_text(f"from {copy}/lib/__init__.py\n", timeout=30_000)
        expect(page.locator(".jp-InputPrompt").first).to_have_text("[1]:")
        page.wait_for_timeout(3000)  # what pops up does so at once, or when the page has settled
        assert page.locator(".jp-Dialog, .jp-toast, .Toastify__toast").count() == 0
        page.screenshot(path=tmp_path / "lab.png")
        chromium.close()
