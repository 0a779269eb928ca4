"""Keep requirements.lock and environment.yml in step with pyproject.toml.

python -m pipelines.setup.lock          writes environment.yml from the lock
python -m pipelines.setup.lock --lock   resolves pyproject.toml anew first (needs the package index)
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from pipelines.runner import outcome

LOCK, TARGET = Path("requirements.lock"), Path("environment.yml")
CONSTRAINTS = ("torch==2.12.1", "torchvision==0.27.1")  # the newest pair built for each other, for CPU and GPU alike
HEADER = "# Written from requirements.lock by `make lock`; edit pyproject.toml instead.\n"


def pins(lock: str) -> list[str]:
    """Return the lock's `name==version ; marker` lines without their hashes."""
    return [m[1].strip() for m in re.finditer(r"^([A-Za-z0-9][^\\\n]*?)\s*\\?$", lock, re.M)]


def environment(lock: str) -> str:
    """Return the text of environment.yml; every pin is explicit, since micromamba refuses -r and -e lines."""
    lines = "".join(f'      - "{pin}"\n' for pin in pins(lock))
    return f"{HEADER}name: hourglass\nchannels: [conda-forge]\ndependencies:\n  - python=3.12\n  - pip\n  - pip:\n{lines}"


def resolve() -> None:
    """Resolve pyproject.toml with all versions and hashes for every platform and Python it allows."""
    constraints = Path("build/constraints.txt")
    constraints.parent.mkdir(exist_ok=True)
    constraints.write_text("\n".join(CONSTRAINTS) + "\n")
    flags = ["--extra", "dev", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
    plain = ["--no-annotate", "--no-header", "--quiet", "--constraint", str(constraints), "--output-file", str(LOCK)]
    subprocess.run([sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", *flags, *plain], check=True)


def main() -> int:
    """Write environment.yml, after a fresh resolution if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lock", action="store_true", help="resolve pyproject.toml anew first")
    if parser.parse_args().lock:
        resolve()
    TARGET.write_text(environment(LOCK.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "make lock"))
