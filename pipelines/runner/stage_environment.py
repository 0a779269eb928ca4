"""The environment in which every notebook runs, so that the same inputs give the same bytes."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

THREADS = "1"  # more threads than free cores were measured 6 to 57 times slower on small networks
# What a run may take over from whoever starts it: names, and beginnings of names that end in an underscore.
LISTED = {
    "a place to work": ("PATH", "HOME", "USER", "LOGNAME", "PWD", "TMPDIR", "TERM", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"),
    "the environment": ("VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "SHELL"),
    "the network": (
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    ),
    "processors": (
        *("OMP_", "OPENBLAS_", "MKL_", "NUMEXPR_", "KMP_", "GOMP_", "ONEDNN_", "DNNL_", "NPY_", "NUMBA_", "ARROW_"),
        *("ATEN_CPU_CAPABILITY", "GLIBC_TUNABLES", "CUDA_", "NVIDIA_", "ROCR_", "HIP_", "TRITON_", "MALLOC_"),
    ),
    "tools that start runs": ("HOURGLASS_", "DVC_", "DASK_", "SLURM_", "PBS_", "JPY_", "PYTEST_"),
    "what is fixed below": (
        *("PYTHONHASHSEED", "SOURCE_DATE_EPOCH", "MATPLOTLIBRC", "MPLBACKEND", "MPLCONFIGDIR"),
        *("PYTHONNOUSERSITE", "PYTHONUTF8", "PYDEVD_DISABLE_FILE_VALIDATION", "LC_ALL"),
    ),
}
NAMES = {name for names in LISTED.values() for name in names}


def set_environment() -> None:
    """Fix for this process and the kernels it starts what results depend on, and shut out what a person has for their own.

    Call it before numpy, torch or nbformat is imported.
    """
    fix_results()
    own = {
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": str(Path(__file__).absolute().parents[2] / "build/matplotlib"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONNOUSERSITE": "1",
        "PYTHONUTF8": "1",
        "LC_ALL": "C.UTF-8",
        "SHELL": "/bin/sh",  # in which DVC runs a stage's command
    }
    os.environ.update(own)
    # jsonschema's optional grammar for IRIs takes 2 s to import and checks nothing that notebooks hold.
    sys.modules.setdefault("rfc3987_syntax", None)


def fix_results() -> None:
    """Fix hash seed, time stamps, threads and figure settings, also of notebooks that a person opens by hand."""
    here = Path(__file__).absolute()
    fixed = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0", "MATPLOTLIBRC": str(here.with_name("matplotlibrc"))}
    os.environ.update(fixed)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
        os.environ.setdefault(name, THREADS)


def listed(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a run may take over: nothing that a login shell or a home folder sets for people's own sessions."""
    return {name: value for name, value in environment.items() if name in NAMES or f"{name.partition('_')[0]}_" in NAMES}


def inherit_only_listed() -> None:
    """Drop from this process, before it starts others, what a run may not take over."""
    for name in os.environ.keys() - listed(os.environ).keys():
        del os.environ[name]


def compute_alone() -> None:
    """Let this process and its kernels start no workers: at smoke scale starting them takes longer than the work."""
    os.environ.setdefault("HOURGLASS_WORKERS", "1")
