"""The GPU's sums on a CPU: values and gradients by Triton's own interpreter, and whether the kernels compile for a GPU."""

import json
import os
import subprocess
import sys

import pytest
import torch

from lib.pairwise import sums
from tests import ROOT

# Ragged rows and columns, several spans of columns, several parts of them, stacked members, a distance that underflows.
SIZES = [
    ((70, 3), None),
    ((150, 20), None),
    ((2, 2, 70, 5), None),
    ((60, 3), (300, 3)),
    ((2, 40, 17), (2, 140, 17)),
    ((70, 30), (90, 30)),
]

ERRORS = """
import json, sys, torch
from lib.pairwise import sums, triton
sums.fused = lambda u: triton  # as if the tensors were on a GPU

def dense(u, v=None, log=False):
    d = u[..., :, None, :] - (u if v is None else v)[..., None, :, :]
    e = -d.square().sum(-1) / 2
    return e.logsumexp(-1) if log else e.exp().sum(-1)

def errors(f, exact, inputs, weights):
    single, double = ([z.to(t).requires_grad_() for z in inputs] for t in (torch.float32, torch.float64))
    got, want = f(*single), exact(*double)
    slopes = zip(torch.autograd.grad((got * weights.float()).sum(), single),
                 torch.autograd.grad((want * weights).sum(), double))
    repeat = torch.equal(f(*single), got)
    value = ((got - want) / want).abs().max().item()
    return [value, *(((g - w).norm() / w.norm()).item() for g, w in slopes), float(not repeat)]

found, bars = {}, {}
for shape, other in json.loads(sys.argv[1]):
    draw = torch.Generator().manual_seed(0)
    inputs = [0.7 * torch.randn(s, generator=draw) + 0.5 for s in (shape, other) if s]
    weights = torch.randn(shape[:-1], generator=draw, dtype=torch.float64)
    found[f"sums {shape} {other}"] = errors(sums.row_sums, dense, inputs, weights)
    if other:
        far = [inputs[0], inputs[1] + 15 * shape[-1] ** -0.5]  # e^-112 and less underflows in single precision
        found[f"logs {shape} {other}"] = errors(sums.log_row_sums, lambda u, v: dense(u, v, log=True), far, weights)
        # An exponent cannot be better than the largest squared norm, rounded.
        norms = max(z.square().sum(-1).max().item() for z in sums.centred(*far))
        bars[f"logs {shape} {other}"] = max(1e-5, 2 * torch.finfo(torch.float32).eps * norms)
print(json.dumps([found, bars]))
"""

# Compute capability 9.0: registers spill little and shared memory suits any GPU of the last years.
COMPILED = """
import json, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from lib.pairwise import triton as k

names = {"out": "*fp64"} | dict.fromkeys(("n", "m", "each"), "i32")
names |= dict.fromkeys("a low norms b b_low b_norms z upper lower p q".split(), "*fp32")
found = {}
for f in (k.reduce_rows, k.moments):
  for d in (3, 8, k.MOST_JOINED, k.MOST_FEATURES):
    t = k.tile(d, gradient=f is k.moments)
    args, given = f.arg_names, k.options(t) | k.widths(d)
    launch = {name: given.pop(name) for name in ("num_warps", "num_stages")}
    given |= {"SAME": True, "LARGEST": False, "DEEP": max(16, triton.next_power_of_2(d))}
    constants = {(args.index(name),): value for name, value in given.items() if name in args}
    source = ASTSource(f, {name: names.get(name, "constexpr") for name in args}, constants)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=launch)
    ptx = compiled.asm["ptx"]
    powers = t.rows * t.columns * t.blocks // (32 * t.warps)
    found[f"{f.__name__} {d}"] = compiled.metadata.shared, ptx.count("ex2.approx") / powers, ptx.count("atom.")
print(json.dumps(found))
"""


def answer(program, tmp_path, *arguments, interpret):
    """Run a program that prints one JSON value; Triton reads its mode when it is imported, so each has its own process."""
    mode = {"TRITON_INTERPRET": "1"} if interpret else {}
    path = tmp_path / "program.py"  # Triton reads the source of its functions from a file
    path.write_text(program)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TRITON_CACHE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"} | mode
    command = [sys.executable, str(path), *arguments]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_values_and_gradients_are_the_dense_ones(tmp_path):
    found, bars = answer(ERRORS, tmp_path, json.dumps(SIZES), interpret=True)
    assert len(found) == 9 and len(bars) == 3
    for case, errors in found.items():
        assert max(errors) < bars.get(case, 1e-5), f"{case}: value, gradients, repeat off by {errors}"


def test_compiles_for_a_gpu(tmp_path):
    for name, (shared, powers, atomics) in answer(COMPILED, tmp_path, interpret=False).items():
        assert shared <= 99 * 1024, f"{name} wants {shared} bytes of shared memory"
        assert atomics == 0, f"{name} adds in an order that may change"
        assert powers == 2, f"{name} takes {powers} powers a pair, where each of two branches takes one"


def test_triton_is_imported_for_a_gpu_only():
    code = "import sys, torch; from lib.pairwise import sums; sums.row_sums(torch.randn(9, 2)); print('triton' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


class Described:
    """A tensor as the choice of an engine sees it."""

    def __init__(self, cuda, dtype, d):
        """Say where it would be."""
        self.is_cuda, self.dtype, self.shape = cuda, dtype, (10, d)


@pytest.mark.parametrize(
    ("cuda", "dtype", "d", "expected"),
    [(True, "float32", 64, True), (True, "float32", 65, False), (True, "float64", 8, False), (False, "float32", 8, False)],
)
def test_the_gpu_takes_what_it_can_hold_in_single_precision(cuda, dtype, d, expected):
    assert bool(sums.fused(Described(cuda, getattr(torch, dtype), d))) is expected
