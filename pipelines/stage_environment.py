"""The environment in which every notebook runs, so that the same inputs give the same bytes."""

import os
import sys
from pathlib import Path

THREADS = "1"  # more threads than free cores were measured 6 to 57 times slower on small networks


def set_environment() -> None:
    """Fix hash seed, time stamps, threads and figure settings for this process and the kernels it starts.

    Call it before numpy, torch or nbformat is imported.
    """
    fixed = {
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": "0",
        "MATPLOTLIBRC": str(Path(__file__).with_name("matplotlibrc")),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    os.environ.update(fixed)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ.setdefault(name, THREADS)
    # jsonschema's optional grammar for IRIs takes 2 s to import and checks nothing that notebooks hold.
    sys.modules.setdefault("rfc3987_syntax", None)


def compute_alone() -> None:
    """Let this process and its kernels start no workers: at smoke scale starting them takes longer than the work."""
    os.environ.setdefault("HOURGLASS_WORKERS", "1")
