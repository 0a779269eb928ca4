"""Sums over pairs on a GPU against what the chip itself allows, plain torch and KeOps: reports/benchmarks_gpu.{json,md}.

python -m tests.bench.gpu   on a machine with an NVIDIA GPU
"""

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
import triton
import triton.language as tl
from torch import Tensor

from lib.estimators.cs import cs_qmi
from lib.pairwise import sums
from lib.pairwise import triton as kernels_triton
from lib.workbook.runs import write_json
from tests.bench.pairwise import gradients

ROUNDS, LANES, CHAINS = 256, 1024, 16
LARGE = 1_000_000

KEOPS = """
from lib.estimators.cs import cs_qmi
from tests.bench.gpu import samples, seconds
from tests.bench.pairwise import keops_qmi
x, y = samples(2**17, 8), samples(2**17, 9)[:, :8].contiguous()
assert abs(float(keops_qmi(x, y) - cs_qmi(x, y))) < 1e-4
print(seconds(lambda: keops_qmi(x, y)) / seconds(lambda: cs_qmi(x, y)))
"""


@triton.jit
def powers(out, rounds, LANES: tl.constexpr, CHAINS: tl.constexpr):
    """Take powers of two and nothing else; eight values a thread keep the special units busy."""
    x = tl.arange(0, LANES).to(tl.float32) / LANES
    for _ in range(rounds):
        for _ in tl.static_range(CHAINS):
            x = tl.exp2(-x)
    tl.store(out + tl.program_id(0) * LANES + tl.arange(0, LANES), x)


@triton.jit
def products(a, b, out, m, WIDE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Form all products of rows and columns on tensor cores, adding them up and nothing else."""
    i, k = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.arange(0, WIDE)
    rows = tl.load(a + i[:, None] * WIDE + k[None, :])
    total = tl.zeros((ROWS,), tl.float32)
    for start in range(0, m, COLUMNS):
        columns = tl.load(b + (start + tl.arange(0, COLUMNS))[:, None] * WIDE + k[None, :])
        total += tl.sum(tl.dot(rows, tl.trans(columns), input_precision="tf32"), 1)
    tl.store(out + i, total)


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest time on the GPU after one run to warm up."""
    work()
    taken = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        taken.append(begin.elapsed_time(end) / 1000)
    return min(taken)


def most_powers() -> float:
    """Return the powers of two a second that the special units give."""
    programs = 32 * torch.cuda.get_device_properties(0).multi_processor_count
    out = torch.empty(programs * LANES, device="cuda")
    taken = seconds(lambda: powers[(programs,)](out, ROUNDS, LANES, CHAINS))
    return programs * LANES * ROUNDS * CHAINS / taken


def most_pairs(wide: int, n: int = 2**17) -> float:
    """Return the pairs a second whose products tensor cores give, the better of some tiles."""
    a, out = torch.randn(n, wide, device="cuda"), torch.empty(n, device="cuda")
    tiles = (64, 64, 4), (128, 64, 4), (128, 128, 8)
    taken = [
        seconds(lambda r=r, c=c, w=w: products[(n // r,)](a, a, out, n, wide, r, c, num_warps=w, num_stages=1))
        for r, c, w in tiles
    ]
    return n * n / min(taken)


def samples(n: int, d: int) -> Tensor:
    """Return normals, scaled so that kernels of different dimension are of one size."""
    return torch.randn(n, d, generator=torch.Generator("cuda").manual_seed(n + d), device="cuda") / d**0.5


def plain_sums(u: Tensor, rows: int = 4096) -> Tensor:
    """Row sums in plain torch, some rows at a time."""
    return torch.cat([(-torch.cdist(part, u).square() / 2).exp().sum(1) for part in u.split(rows)])


def error(d: int) -> float:
    """Return the worst relative error of 4096 row sums among 262144 samples against double precision."""
    u = samples(2**18, d)
    exact = (-torch.cdist(u[:4096].double(), u.double(), compute_mode="donot_use_mm_for_euclid_dist").square() / 2).exp().sum(1)
    return float(((sums.row_sums(u)[:4096] - exact) / exact).abs().max())


def slope(u: Tensor) -> Tensor:
    """Return the gradient of the mean log row sum."""
    leaf = u.clone().requires_grad_()
    return torch.autograd.grad(sums.row_sums(leaf).log().mean(), leaf)[0]


def memory(n: int) -> float:
    """Return the bytes a sample that row sums with gradient hold at most, beside the samples."""
    u = samples(n, 8)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    slope(u)
    return (torch.cuda.max_memory_allocated() - before) / n


def row(name: str, workload: str, value: float, unit: str, bar: str, holds: bool | None) -> dict:
    """Return what was found; a row without a bar is told, not judged."""
    print(f"{name:<22} {value:.4g} {unit} (bar {bar}) {workload}", flush=True)
    return {"name": name, "workload": workload, "value": float(f"{value:.4g}"), "unit": unit, "bar": bar, "holds": holds}


def forward_rows() -> list[dict]:
    """Time the sums themselves against the chip's ceilings."""
    ceiling = most_powers()
    found = [row("powers", "2^x alone", ceiling, "a second", "-", None)]
    for d in (8, 64):
        wide, joined = kernels_triton.widths(d).values()
        products_bound, u = most_pairs(wide) / (1 if joined else 3), samples(LARGE, d)
        taken = seconds(lambda u=u: sums.row_sums(u), 2)
        rate, bound = LARGE**2 / taken, min(ceiling, products_bound)
        what, alone = f"n = 1e6, d = {d}, float32, row sums", f"tensor cores alone, {1 if joined else 3} x {wide} parts"
        found += [
            row(f"products-{d}", alone, products_bound, "pairs a second", "-", None),
            row(f"forward-{d}", what, taken, "s", *(("<= 0.5", taken <= 0.5) if d == 8 else ("-", None))),
            row(f"share-{d}", f"{what}, of the lower ceiling", rate / bound, "", ">= 0.5", rate / bound >= 0.5),
            row(f"error-{d}", "n = 262144, worst relative error to float64", e := error(d), "", "<= 1e-5", e <= 1e-5),
        ]
    return found


def gradient_rows() -> list[dict]:
    """Time gradients, ask whether they repeat, and weigh memory."""
    u = samples(LARGE, 8)
    ratio = seconds(lambda: slope(u), 2) / seconds(lambda: sums.row_sums(u), 2)
    part = u[: 2**17]
    same = torch.equal(slope(part), slope(part)) and torch.equal(sums.row_sums(part), sums.row_sums(part))
    held = [memory(n) for n in (2**17, 2**19)]
    return [
        row("gradient", "n = 1e6, d = 8, forward and backward over forward", ratio, "", "<= 3.5", ratio <= 3.5),
        row("repeat", "n = 131072, d = 8, value and gradient the same bits", float(same), "", "1", same),
        row("memory", "d = 8, with gradient, a sample: n = 2^19 over 2^17", r := held[1] / held[0], "", "<= 1.1", r <= 1.1),
        row("memory-bytes", "n = 524288, d = 8, with gradient", held[1], "bytes a sample", "-", None),
    ]  # fmt: skip


def peer_rows() -> list[dict]:
    """Compare with plain torch and KeOps, values first; a peer that does not run is said not to."""
    u, x, y = samples(2**16, 8), samples(2**17, 8), samples(2**17, 9)[:, :8].contiguous()
    assert torch.allclose(sums.row_sums(u), plain_sums(u), rtol=1e-3)
    torch_ratio = seconds(lambda: plain_sums(u)) / seconds(lambda: sums.row_sums(u))
    found = [row("torch", "n = 65536, d = 8, row sums, plain torch in parts over ours", torch_ratio, "", "-", None)]
    taken = seconds(lambda: cs_qmi(samples(LARGE, 8), samples(LARGE, 9)), 2)
    n = int(LARGE * taken**-0.5)
    again = seconds(lambda: cs_qmi(samples(n, 8), samples(n, 9)), 1)
    slopes = seconds(lambda: gradients(cs_qmi, x, y))
    found += [
        row("qmi", "n = 1e6, d = 8 + 9, CS-QMI", taken, "s", "-", None),
        row("one-second", f"n = {n}, d = 8 + 9, CS-QMI", again, "s", "-", None),
        row("qmi-gradients", "n = 131072, d = 8 + 8, CS-QMI and gradients", slopes, "s", "-", None),
    ]  # fmt: skip
    run = subprocess.run([sys.executable, "-c", KEOPS], capture_output=True, text=True)  # its compiler may end the process
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or [f"ended by signal {-run.returncode}"])[-1]
        print(f"KeOps did not run: {reason}", file=sys.stderr)
        return found
    ratio = json.loads(run.stdout.splitlines()[-1])
    return [*found, row("keops", "n = 131072, d = 8 + 8, CS-QMI, KeOps over ours", ratio, "", "-", None)]


def installed(name: str) -> str:
    """Return a package with its version."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"no {name}"


def page(rows: list[dict], where: str) -> str:
    """Return the table as Markdown."""
    told = {None: "", True: "yes", False: "no"}
    lines = [
        "# Benchmarks on a GPU",
        "",
        "Written by `python -m tests.bench.gpu`. A ceiling is what the chip gave in the same run to a loop of that alone.",
        "",
        f"{where}.",
        "",
        "| name | workload | found | bar | holds |",
        "|---|---|---|---|---|",
        *(f"| {r['name']} | {r['workload']} | {r['value']:.4g} {r['unit']} | {r['bar']} | {told[r['holds']]} |" for r in rows),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and keep everything."""
    rows = forward_rows() + gradient_rows() + peer_rows()
    packages = ", ".join(installed(name) for name in ("torch", "triton", "pykeops"))
    where = f"{torch.cuda.get_device_name()}, Python {platform.python_version()}, {packages}"
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "reports")
    write_json(folder / "benchmarks_gpu.json", {"machine": where, "rows": rows})
    (folder / "benchmarks_gpu.md").write_text(page(rows, where))


if __name__ == "__main__":
    main()
