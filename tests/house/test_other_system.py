"""As on another system than Linux: what only Linux has is gone for the command and all that it starts, and nothing needs it."""

import os
import subprocess
import sys

import pytest

from pipelines.runner import warm
from tests import ROOT

pytestmark = pytest.mark.skipif(not warm.can_fork(), reason="this is another system than Linux, or tested as one")


def there(*command, **variables):
    """Run a command as on another system."""
    here = [sys.executable, "-m", "tests.other_system", *command]
    return subprocess.run(here, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True)


LOOKS = """
import ctypes, os, socket, subprocess, sys
from pathlib import Path
import psutil
asks = "import os; print(hasattr(os, 'pidfd_open'), os.path.exists('/proc/self'))"
print(hasattr(os, "sched_getaffinity"), hasattr(socket, "SOCK_SEQPACKET"), hasattr(ctypes.CDLL(None), "prctl"))
print(Path("/proc/self").exists(), os.path.isdir("/sys"), sorted(Path("/proc").glob("*")), os.access("/dev/null", os.R_OK))
for folder in ("/proc/cpuinfo", Path("/proc/cpuinfo"), b"/sys/../proc/cpuinfo"):
    try:
        print(open(folder).read()[:9])
    except FileNotFoundError as error:
        print(error)
print(subprocess.run([sys.executable, "-I", "-c", asks], env={}, capture_output=True, text=True).stdout.strip())
print(psutil.Process().cwd() == os.getcwd(), hasattr(ctypes.CDLL(None), "getpid"))
"""
GONE = "[Errno 2] No such file or directory: "
SEEN = f"""False False False
False False [] True
{GONE}'/proc/cpuinfo'
{GONE}'/proc/cpuinfo'
{GONE}'/sys/../proc/cpuinfo'
False False
True True
"""


def test_what_only_linux_has_is_gone_whatever_starts_python():
    done = there("python", "-c", LOOKS)
    assert done.stdout.partition("\n")[2] == SEEN, done.stderr


FACTS = """
from lib.core.processes import cores
from pipelines.reporting import provenance
from pipelines.runner import warm
from pipelines.setup import doctor
print(cores(), provenance.processor(), doctor.instructions(), sep="; ")
with warm.kernels() as server:
    print(server)
"""


def test_facts_come_from_elsewhere_and_no_server_starts(tmp_path):
    (tmp_path / "sysctl").write_text("#!/bin/sh\necho Pear $2\n")
    (tmp_path / "sysctl").chmod(0o755)
    done = there("python", "-c", FACTS, PATH=f"{tmp_path}:{os.environ['PATH']}")
    name = "Pear machdep.cpu.brand_string"
    assert done.stdout.splitlines()[1:] == [f"{os.cpu_count()}; {name}; {name}, no vectors known", "None"], done.stderr


def test_stages_run_and_stop_there_and_nothing_outlives_its_parent():
    places = ("core/test_processes", "pipelines/test_run_notebook", "pipelines/runner/test_terminal")
    names = [f"tests/{name}.py" for name in places]
    chosen = "processes or writes_results or kill_9 or (ctrl_c and repro and not dvc)"
    done = there("python", "-m", "pytest", "-p", "no:cacheprovider", *names, "-k", chosen)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_no_command_is_an_error():
    assert there().returncode == 2
