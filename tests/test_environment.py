"""The lock is the one source of versions; environment.yml says the same and resolves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib import runs
from pipelines.environment import environment, pins

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text()


def test_environment_yml_is_what_the_lock_gives():
    assert (ROOT / "environment.yml").read_text() == environment(LOCK)


def test_a_tampered_pin_is_noticed():
    assert environment(LOCK.replace("torch==2.12.1", "torch==2.12.0")) != (ROOT / "environment.yml").read_text()


def test_every_pin_is_exact_and_hashed():
    listed = pins(LOCK)
    assert len(listed) > 150
    assert all(re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+( ; .+)?$", pin) for pin in listed)
    assert LOCK.count("--hash=sha256:") >= len(listed)
    assert {"torch==2.12.1", "torchvision==0.27.1"} <= set(listed)


def test_pip_section_resolves_as_it_stands(tmp_path):
    section = runs.read_yaml(ROOT / "environment.yml")["dependencies"][-1]["pip"]
    assert not [line for line in section if line.startswith("-")], "micromamba refuses -r and -e"
    (tmp_path / "pins.txt").write_text("\n".join(section))
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--dry-run",
        "--python",
        sys.executable,
        "-r",
        str(tmp_path / "pins.txt"),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch" not in done.stderr, f"the installed packages are not those of the lock: {done.stderr}"


@pytest.mark.parametrize(
    "package", ["jupyterlab", "papermill", "dvc", "torch", "open_clip_torch", "matplotlib", "seaborn", "ipywidgets", "nbval"]
)
def test_named_packages_are_direct_dependencies(package):
    assert re.search(rf'^    "{package}[><=]', (ROOT / "pyproject.toml").read_text(), re.M)
