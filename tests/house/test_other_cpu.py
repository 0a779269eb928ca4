"""As on another processor: every library is told, asked, and named where it does not follow."""

import os
import subprocess
import sys

import pytest

from tests import ROOT, other_cpu

TRAJECTORY = """
import hashlib
from lib.data.dynamics.maps import noisy_logistic
from lib.experiments.koopman_spectra.logistic import clipped_logistic
made = [noisy_logistic(trajectories=20, steps=200, seed=3), clipped_logistic(steps=2000, seed=3)]
print(*(hashlib.sha256(data.x.numpy().tobytes()).hexdigest() for data in made))
"""
TOLD = [
    "d36a0922df76f7b2bb4ec4208e1ebecf0b8f730eb0189e3eacba84fcf3115991",
    "42ebbb0489c5be19bf46b259ebabe7bc647d56c108d6d23d8bab1ba5787181fa",
]
try:
    HERE = other_cpu.processor()
except ValueError as error:
    pytest.skip(str(error), allow_module_level=True)


def ran(code, environment):
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_library_follows():
    assert other_cpu.strays(HERE, other_cpu.environment(HERE)) == []


LEFT_OUT = """
from tests import other_cpu
here = other_cpu.processor()
given = other_cpu.environment(here)
for name in ("ATEN_CPU_CAPABILITY", "NPY_DISABLE_CPU_FEATURES", "GLIBC_TUNABLES"):
    del given[name]
print(*other_cpu.strays(here, given), sep="\\n")
"""


def test_libraries_that_do_not_follow_are_named():
    plain = {name: value for name, value in os.environ.items() if name not in other_cpu.NAMES}  # these tests may run as on it
    done = subprocess.run([sys.executable, "-c", LEFT_OUT], env=plain, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert [line.split(" says ")[0] for line in lines[:2]] == ["torch", "numpy"]
    assert lines[2:] == ["the C library computes sines and exponentials as before"] * ("fma" in HERE.flags)


def test_without_wide_instructions_it_goes_one_lower():
    old = other_cpu.processor("vendor_id : AuthenticAMD\nflags : fma avx2\n")
    new = other_cpu.processor("vendor_id : GenuineIntel\nflags : fma avx2 avx512f\n")
    assert (old.wide, old.intel, new.wide, new.intel) == (False, False, True, True)
    assert other_cpu.variables(old)["OPENBLAS_CORETYPE"] == "Nehalem" and other_cpu.variables(old)["MKL_CBWR"] == "COMPATIBLE"
    assert other_cpu.variables(new)["OPENBLAS_CORETYPE"] == "Haswell" and "MKL_CBWR" not in other_cpu.variables(new)
    assert set(other_cpu.variables(old)) | set(other_cpu.variables(new)) == set(other_cpu.NAMES)
    with pytest.raises(ValueError, match="no x86 processor: only of those it is known which instructions are other ones"):
        other_cpu.processor("Features : fp asimd\n")


def test_the_command_has_the_variables_and_its_own_exit_status():
    shown = "import os, sys; print(os.environ['ATEN_CPU_CAPABILITY']); sys.exit(7)"
    command = [sys.executable, "-m", "tests.other_cpu", sys.executable, "-c", shown]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"ATEN_CPU_CAPABILITY": "x"})
    assert done.returncode == 7 and done.stdout.splitlines()[0].endswith("every library follows")
    assert done.stdout.splitlines()[1] == other_cpu.variables(HERE)["ATEN_CPU_CAPABILITY"]
    assert other_cpu.main([]) == 2


def test_a_chaotic_map_takes_the_same_path_on_every_processor():
    bare = {name: value for name, value in os.environ.items() if name not in other_cpu.NAMES}
    assert ran(TRAJECTORY, bare) == ran(TRAJECTORY, other_cpu.environment(HERE)) == TOLD
