"""Run a command as if on an older processor: every library takes the instructions of one, and is asked whether it does.

python -m tests.other_cpu COMMAND...

Where there is AVX-512 the others are those of a processor with AVX2 and no more, otherwise those of one with SSE4. The C
library gives up fused multiplication at either, which changes last digits of sines and exponentials. What these variables
were before is hidden from the command; they must reach every process that computes.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

# Older versions of glibc have longer names; names that it does not know it skips.
PLAIN = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-AVX2_Usable,-FMA_Usable"}
AVX2 = PLAIN | {
    "ATEN_CPU_CAPABILITY": "avx2",
    "OPENBLAS_CORETYPE": "Haswell",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "ARROW_USER_SIMD_LEVEL": "AVX2",
}
SSE4 = PLAIN | {
    "ATEN_CPU_CAPABILITY": "default",
    "OPENBLAS_CORETYPE": "Nehalem",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "NUMBA_CPU_NAME": "nehalem",
    "ARROW_USER_SIMD_LEVEL": "SSE4_2",
}
NAMES = (*AVX2, "NPY_DISABLE_CPU_FEATURES", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
SAID = {  # library -> what its report must say at either
    "torch": ("AVX2", "DEFAULT"),
    "numpy": ("[]", "[]"),
    "OpenBLAS": ("Haswell", "Nehalem"),
    "MKL": (r"\(Intel\(R\) AVX2\) enabled|CNR:COMPATIBLE", "CNR:COMPATIBLE"),
    "oneDNN": (r"isa:Intel AVX2$", r"isa:Intel SSE4\.1$"),
    "numba": ("haswell", "nehalem"),
    "Arrow": ("avx2", "sse4_2"),
}
REPORTS = """
import json, sys
import numba, numpy, pyarrow, scipy.linalg, threadpoolctl, torch
from numba.core.registry import cpu_target
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
torch.ones(64, 64) @ torch.ones(64, 64), torch.nn.Conv2d(3, 8, 3)(torch.ones(2, 3, 16, 16))
blas = {i["architecture"] for i in threadpoolctl.threadpool_info() if i["internal_api"] == "openblas"}
print("REPORTS" + json.dumps({
    "torch": torch.backends.cpu.get_cpu_capability(),
    "numpy": str([name for name in sys.argv[1:] if __cpu_features__.get(name)]),
    "OpenBLAS": " and ".join(sorted(blas)) or "no OpenBLAS",
    "numba": cpu_target.target_context.codegen()._get_host_cpu_name(),
    "Arrow": pyarrow.runtime_info().simd_level,
}))
"""
SINES = "import math; print([(math.sin(x), math.exp(x), math.tanh(x)) for x in (0.1 + 0.0009 * i for i in range(10_000))])"


class Processor(NamedTuple):
    """What decides which instructions are other ones."""

    flags: frozenset[str]
    intel: bool

    @property
    def wide(self) -> bool:
        """Say whether there is AVX-512."""
        return "avx512f" in self.flags


def processor(text: str | None = None) -> Processor:
    """Return this processor; text: what /proc/cpuinfo says, where there is one."""
    told = Path("/proc/cpuinfo")
    text = text if text is not None else told.read_text() if told.exists() else platform.machine()
    flags = re.search(r"^flags\s*:(.*)$", text, re.M)
    if not flags:
        raise ValueError(f"no x86 processor: only of those it is known which instructions are other ones, got {text[:60]!r}")
    return Processor(frozenset(flags[1].split()), "GenuineIntel" in text)


def dispatched(wide: bool) -> list[str]:
    """Return the features that numpy is to leave alone: those above AVX2, or all that it chooses from as it runs."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

    names = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    return [name for name in names if "512" in name or name == "X86_V4"] if wide else names


def variables(here: Processor) -> dict[str, str]:
    """Return the variables by which every library takes the instructions of an older processor."""
    # MKL heeds the first on Intel's processors alone; the second makes it the same on all, and slow.
    mkl = {"MKL_ENABLE_INSTRUCTIONS": "AVX2"} if here.wide and here.intel else {"MKL_CBWR": "COMPATIBLE"}
    return (AVX2 if here.wide else SSE4) | {"NPY_DISABLE_CPU_FEATURES": " ".join(dispatched(here.wide))} | mkl


def environment(here: Processor) -> dict[str, str]:
    """Return the environment of a command on the older processor."""
    return {name: value for name, value in os.environ.items() if name not in NAMES} | variables(here)


def reports(environment: dict[str, str], unwanted: list[str]) -> dict[str, str]:
    """Return what each library says of itself in an environment; unwanted: names of numpy's features to look for."""
    talking = environment | {"MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1"}
    command = [sys.executable, "-c", REPORTS, *unwanted]
    done = subprocess.run(command, env=talking, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"the libraries do not start with these variables: {done.stderr.strip()[-400:]}")
    lines = done.stdout.splitlines()
    own = json.loads(next(line.removeprefix("REPORTS") for line in lines if line.startswith("REPORTS")))
    mkl = " ".join(line for line in lines if line.startswith("MKL_VERBOSE")) or "no line of MKL_VERBOSE"
    onednn = next((line for line in lines if ",cpu,isa:" in line), "no line of ONEDNN_VERBOSE")
    return own | {"MKL": mkl, "oneDNN": onednn}


def sines(environment: dict[str, str]) -> str:
    """Return a hash of what the C library's functions give in an environment."""
    done = subprocess.run([sys.executable, "-c", SINES], env=environment, capture_output=True, check=True)
    return hashlib.sha256(done.stdout).hexdigest()


def strays(here: Processor, given: dict[str, str]) -> list[str]:
    """Return a line for each library that does not do in an environment as the older processor would have it do."""
    found = reports(given, dispatched(here.wide))
    wanted = {name: said[0 if here.wide else 1] for name, said in SAID.items()}
    lines = [f"{name} says {found[name][:200]!r}" for name, said in wanted.items() if not followed(name, found[name], said)]
    bare = {name: value for name, value in os.environ.items() if name not in NAMES}
    if "fma" in here.flags and sines(given) == sines(bare):
        lines.append("the C library computes sines and exponentials as before")
    return lines


def followed(name: str, report: str, wanted: str) -> bool:
    """Say whether a report is the wanted one: a line of MKL or oneDNN holds it, the others say nothing else."""
    return bool(re.search(wanted, report)) if name in ("MKL", "oneDNN") else report == wanted


def main(argv: list[str] | None = None) -> int:
    """Set, ask, and become the command; exit 2 where a library did not follow."""
    command = sys.argv[1:] if argv is None else argv
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        here = processor()
        given = environment(here)
        odd = strays(here, given)
    except ValueError as error:
        odd = [str(error)]
    if odd:
        print(f"no other processor: {'; '.join(odd)}; see tests/other_cpu.py for the variables", file=sys.stderr)
        return 2
    print(f"as on another processor, with {'AVX2' if here.wide else 'SSE4'} and no more: every library follows", flush=True)
    os.execvpe(command[0], command, given)


if __name__ == "__main__":
    sys.exit(main())
