"""A process takes the code of the working copy that it works in, and refuses another's by name."""

import os
import subprocess

import pytest

from tests.environments import Copy

SHOWN = "import lib; print(lib.__file__)"
ALONE = "import sys; sys.meta_path[:] = [f for f in sys.meta_path if f.__name__ != 'Finder']; "  # as where make set nothing up


@pytest.fixture(scope="module")
def copies(tmp_path_factory):
    """Two working copies with one environment, in which the second is linked to as packages once were."""
    first, second = (Copy(tmp_path_factory.mktemp("copies") / name) for name in ("my first: 1", "second"))
    env = second.ready()
    packages = next((env.place / "lib").glob("python3*/site-packages"))
    (packages / "__editable__.hourglass.pth").write_text(f"{second.root}\n")
    (first.root / "notebooks/information").mkdir(parents=True)
    (first.root / "build/smoke").mkdir(parents=True)
    inner = Copy(first.root / "build/smoke/inner")
    return first, second, inner, env.python


def run(python, folder, *words, **variables):
    return subprocess.run([python, *words], cwd=folder, env=os.environ | variables, capture_output=True, text=True)


@pytest.mark.parametrize("folder", [".", "notebooks", "notebooks/information"])
@pytest.mark.parametrize("linked", ["", "PYTHONPATH"])
def test_a_process_takes_the_code_of_where_it_works(copies, folder, linked):
    first, second, _, python = copies
    done = run(python, first.root / folder, "-c", SHOWN, **({linked: str(second.root)} if linked else {}))
    assert done.stdout.strip() == f"{first.root}/lib/__init__.py", done.stderr


def test_a_copy_within_a_copy_has_its_own(copies):
    first, _, inner, python = copies
    assert run(python, inner.root, "-c", SHOWN, PYTHONPATH=str(first.root)).stdout.strip() == f"{inner.root}/lib/__init__.py"


def test_anothers_code_is_refused_by_name(copies):
    first, second, _, python = copies
    done = run(python, first.root / "notebooks", "-c", ALONE + SHOWN, PYTHONPATH=str(second.root))
    assert f"ImportError: lib came from {second.root}, while this process works in {first.root}, a working" in done.stderr
    assert run(python, first.root / "notebooks", "-I", "-c", SHOWN).stderr == done.stderr, "what is isolated looks nowhere"


def test_elsewhere_the_path_decides(copies, tmp_path):
    _, second, _, python = copies
    assert run(python, tmp_path, "-c", SHOWN).stdout.strip() == f"{second.root}/lib/__init__.py"
