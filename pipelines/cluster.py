"""Where a sweep's points run: workers on this machine, those of a scheduler at an address, or a cluster that YAML describes."""

import importlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dask
from distributed import Client, LocalCluster, Worker, WorkerPlugin

from lib import runs
from pipelines import outcome, warm
from pipelines.stage_environment import set_environment

KINDS = {  # kind in YAML -> module and class
    "slurm": ("dask_jobqueue", "SLURMCluster"),
    "pbs": ("dask_jobqueue", "PBSCluster"),
    "kubernetes": ("dask_kubernetes.operator", "KubeCluster"),
}


class Kernels(WorkerPlugin):
    """What a worker does before its first point: take its GPU, and find or start the server that forks its kernels."""

    name = "hourglass-kernels"

    def __init__(self, *, isolated: bool, gpus: list[str]) -> None:
        self.isolated, self.gpus, self.held = isolated, gpus, None

    def setup(self, worker: Worker) -> None:
        """Prepare one worker."""
        set_environment()  # a worker's own hash seed is not the kernels'
        if not Path("pipelines/sweep_point.py").exists():
            raise ValueError(f"a worker was started in {Path.cwd()}; start it in the repository, on a file system all share")
        if self.gpus:
            os.environ["CUDA_VISIBLE_DEVICES"] = self.gpus[int(worker.name) % len(self.gpus)]
        if self.isolated:
            os.environ.pop("HOURGLASS_WARM", None)
        elif "HOURGLASS_WARM" not in os.environ:
            self.held = ExitStack()
            self.held.enter_context(warm.kernels())

    def teardown(self, worker: Worker) -> None:
        """End the server that this worker started."""
        if self.held:
            self.held.close()


def gpus() -> list[str]:
    """Return the GPUs of this machine that may be used, none where there is no driver."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in chosen.split(",") if name]
    try:
        listed = subprocess.run(["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"], capture_output=True, text=True)
    except FileNotFoundError:  # no driver, no GPU
        return []
    if listed.returncode:
        outcome.say(f"no GPU is used, as nvidia-smi failed: {(listed.stderr or listed.stdout).strip()}")
        return []
    return listed.stdout.split()


def described(path: Path) -> tuple[type, dict, int]:
    """Return the class, its options and the number of jobs of a cluster that YAML describes as {kind, jobs, options}.

    Errors: ValueError for unknown fields or kind, or a package that is not installed.
    """
    told = runs.read_yaml(path)
    if set(told) != {"kind", "jobs", "options"} or told["kind"] not in KINDS:
        raise ValueError(f"{path} must give kind ({', '.join(KINDS)}), jobs and options, got {told}")
    package, name = KINDS[told["kind"]]
    try:
        return getattr(importlib.import_module(package), name), told["options"], told["jobs"]
    except ImportError as error:
        wanted = package.split(".")[0].replace("_", "-")
        raise ValueError(f"{path} needs the package {wanted}, which cannot be imported ({error}); install it first") from error


def script(path: Path) -> str:
    """Return the job script by which a described cluster would start a worker."""
    kind, options, _ = described(path)
    if not hasattr(kind, "job_script"):
        raise ValueError(f"{path}: {kind.__name__} starts no jobs by script")
    with kind(**options) as cluster:
        return cluster.job_script()


@contextmanager
def opened(where: str, *, workers: int | None = None, isolated: bool = False) -> Iterator[Client]:
    """Yield a client of "local", of a scheduler's address, or of the cluster that a YAML file describes.

    Local workers are processes of one thread, one a core, or one a GPU where there are GPUs; they share one server of kernels.
    Threads of one process take as long (24 short notebooks on two cores: 15.6 s, processes 15.9 s) and die together.
    """
    set_environment()  # again: importing distributed has set a hash seed of its own
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": {}}))
        found: list[str] = []
        if where == "local":
            found = gpus()
            if not (isolated or found or "HOURGLASS_WARM" in os.environ):
                stack.enter_context(warm.kernels())
            count = workers or len(found) or int(os.environ.get("HOURGLASS_WORKERS", "0")) or len(os.sched_getaffinity(0))
            options = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": "CRITICAL"}
            with outcome.deferred():  # workers leave Ctrl-C to this process
                place = stack.enter_context(LocalCluster(n_workers=count, **options))
        elif where.endswith(".yaml"):
            kind, options, jobs = described(Path(where))
            place = stack.enter_context(kind(**options))
            place.scale(workers or jobs)
        else:
            place = where
        client = stack.enter_context(Client(place, timeout="20s"))
        client.register_plugin(Kernels(isolated=isolated, gpus=found))
        yield client
