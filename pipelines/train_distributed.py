"""Train the methods of one run with every batch spread over several processes, for one run that is large.

torchrun --standalone --nproc-per-node 2 -m pipelines.train_distributed networks.tanh.train data/prepared/twelve_bit build/x

SECTION  dotted path into params.yaml: methods, shape and plan
DATA     a prepared data set
OUT      folder for tables and weights, as a training stage leaves them
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

from pipelines.runner.stage_environment import set_environment

set_environment()

import torch  # noqa: E402

from lib.bottlenecks import results  # noqa: E402
from lib.core.types import Split  # noqa: E402
from lib.data import prepared  # noqa: E402
from lib.training import distributed  # noqa: E402
from lib.workbook import runs  # noqa: E402
from pipelines.runner import outcome  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Train as the training notebook does, one method after the other; the first process writes, and shows its bars."""
    if os.environ.get("RANK", "0") != "0":
        os.environ["HOURGLASS_PROGRESS"] = ""
    warnings.filterwarnings("ignore", "Grad strides do not match")  # DDP on networks so small loses nothing by it
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("section")
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--accelerator", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args(argv)
    params = runs.parameters()
    own, seeds = runs.section(params, args.section), params["seeds"]
    devices, nodes = (int(os.environ.get(name, "1")) for name in ("LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"))
    fabric = distributed.many_devices(args.accelerator, devices=devices, nodes=nodes)
    fabric.launch()
    table = prepared.read(args.data, seeds)
    facts = {"seeds": seeds, "inputs": table.split.train.x.shape[-1], "outputs": table.outputs, "shape": own["shape"]}
    facts |= {"methods": own["methods"], "plan": own["plan"], "y_std": table.y_std.tolist()}
    split = Split(*(type(part)(*fabric.to_device(tuple(part))) for part in table.split))
    outcomes = {label: results.fit_one_on(fabric, split, facts, label, None) for label in own["methods"]}
    if fabric.is_global_zero:
        args.out.mkdir(parents=True, exist_ok=True)
        results.write(args.out, facts, outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(outcome.main_of(main, "train_spread"))
