"""A small working copy with the whole Makefile, whose environment holds no package and is there in moments."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from pipelines.setup import setup_env
from tests import ROOT

LOCK = """numpy==2.4.0 \\
    --hash=sha256:aa
nvidia-cublas==13.1.0 ; sys_platform == 'linux' \\
    --hash=sha256:bb
torch==2.12.1 \\
    --hash=sha256:cc
torchvision==0.27.1 \\
    --hash=sha256:dd
triton==3.7.0 ; sys_platform == 'linux' \\
    --hash=sha256:ee
zict==3.0.0 \\
    --hash=sha256:ff
"""
TELLS = """
import json, os, shutil, sys
import lib
print(json.dumps({"arguments": sys.argv[1:], "python": sys.executable, "prefix": sys.prefix, "lib": lib.__file__,
                  "stage": shutil.which("python"), "given": os.environ.get("HOURGLASS_ARGS")}))
"""
UV = """
import json, os, sys
with open(os.environ["CALLS"], "a") as calls: calls.write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit(int(any(word in sys.argv for word in os.environ.get("FAILING", "").split())))
"""


class Copy:
    """The copy; what its Makefile runs tells what it was given, uv writes down its calls."""

    def __init__(self, root: Path):
        self.root, self.wheels, self.calls = root, root.parent / "wheels", root.parent / "calls"
        (root / "lib/core").mkdir(parents=True)
        for name in ("Makefile", "lib/__init__.py", "lib/core/__init__.py", "lib/core/working_copy.py"):
            shutil.copy(ROOT / name, root / name)
        shutil.copytree(ROOT / "pipelines/setup", root / "pipelines/setup", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("ledger", "repro", "lab", "record", "sweep", "replay", "run_notebook", "setup/doctor"):
            (root / f"pipelines/{name}.py").write_text(TELLS)
        (root / "requirements.lock").write_text(LOCK)
        self.wheels.mkdir(exist_ok=True)
        with zipfile.ZipFile(self.wheels / f"uv-{setup_env.UV}-py3-none-any.whl", "w") as wheel:
            facts = f"uv-{setup_env.UV}.dist-info"
            wheel.writestr("uv/__main__.py", UV)
            wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {setup_env.UV}\n")
            wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{facts}/RECORD", "")

        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(root)]
        subprocess.run([*git, "init", "--quiet"], check=True)
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", "x"], check=True)

    @property
    def env(self) -> setup_env.Environment:
        return setup_env.Environment(self.root / ".venv")

    def ready(self, place: Path | None = None, torch: str = "default") -> setup_env.Environment:
        """Put an environment there that make takes to be ready, and that has the false uv."""
        env = setup_env.Environment(place or self.root / ".venv")
        setup_env.create(env.place)
        before = Path.cwd()
        os.chdir(self.root)
        setup_env.finish(env)
        env.sign(torch, ready=True)
        os.chdir(before)
        packages = next((env.place / "lib").glob("python3*/site-packages"))
        with zipfile.ZipFile(next(self.wheels.iterdir())) as wheel:
            wheel.extractall(packages)
        return env

    def make(self, *words: str, **variables: str) -> subprocess.CompletedProcess:
        """Run make with little in its environment, and no index of packages to be reached."""
        own = {"HOME": str(self.root.parent), "PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "CALLS": str(self.calls)}
        own |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "LC_ALL": "C.UTF-8"}
        return subprocess.run(["make", *words], cwd=self.root, env=own | variables, capture_output=True, text=True)
