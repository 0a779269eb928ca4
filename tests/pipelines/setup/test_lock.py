"""The lock is the one source of versions; environment.yml says the same and resolves."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

from lib.workbook import runs
from pipelines.setup.lock import environment, pins
from tests import ROOT

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
    if not Path(find_spec("torch").origin).is_relative_to(sys.prefix):
        pytest.skip("the packages are those of another environment (tests/other_system.py)")
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


# The oldest macOS that torch is built for.
MACOS = {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
SOURCES = ("antlr4-python3-runtime", "keopscore", "pykeops")  # of Python alone, without a wheel for any system


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_lock_is_complete_for_macos(tmp_path, version):
    command = [sys.executable, "-m", "uv", "pip", "install", "--dry-run", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", *(word for name in SOURCES for word in ("--no-binary", name))]
    command += ["--python-platform", "aarch64-apple-darwin", "--python-version", version, "--target", str(tmp_path)]
    command += ["--requirement", "requirements.lock"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | MACOS, capture_output=True, text=True)
    if "Failed to fetch" in done.stderr:
        pytest.skip(f"no index of packages can be reached: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0 and "torch==2.12.1\n" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "package", ["jupyterlab", "papermill", "dvc", "torch", "open_clip_torch", "matplotlib", "seaborn", "ipywidgets", "nbval"]
)
def test_named_packages_are_direct_dependencies(package):
    assert re.search(rf'^    "{package}[><=]', (ROOT / "pyproject.toml").read_text(), re.M)


# What is asked for and no source of ours imports by name, and why.
WITHOUT_IMPORT = {
    "dask_jobqueue": "clusters name it (pipelines/sweeping/cluster.py)",
    "jupyterlab": "make lab",
    "nbval": "make nbval",
    "pyarrow": "pandas reads and writes parquet by it",
    "ruff": "make lint",
    "torchvision": "open_clip needs it, and it must be of the pair with torch that pipelines/setup/lock.py names",
    "xdist": "pytest -n",
}
IMPORTED_AS = {"open_clip_torch": "open_clip", "scikit-learn": "sklearn", "pytest-xdist": "xdist"}


def test_every_package_that_is_asked_for_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    asked = [re.match(r"[\w.-]+", line)[0] for line in project["dependencies"] + extras["dev"] + extras["oracles"]]
    sources = [path.read_text() for top in ("lib", "pipelines", "tests") for path in (ROOT / top).rglob("*.py")]
    sources += [cell.source for path in (ROOT / "notebooks").rglob("*.ipynb") for cell in nbformat.read(path, 4).cells]
    text = "\n".join(sources)
    names = {IMPORTED_AS.get(name, name.replace("-", "_")) for name in asked} - {"hourglass"}
    assert names >= WITHOUT_IMPORT.keys()
    used = r"(^|\n|; )\s*(import|from) {name}\b|importorskip\(.{name}\b"
    assert [name for name in sorted(names - WITHOUT_IMPORT.keys()) if not re.search(used.replace("{name}", name), text)] == []
