"""Where a sweep's points run: workers on this machine, those of a scheduler at an address, or a cluster that YAML describes."""

import importlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dask
from distributed import Client, LocalCluster, Security, Worker, WorkerPlugin
from distributed.deploy import Cluster

from lib.core.processes import free_workers
from lib.workbook import runs
from pipelines.runner import outcome, private, warm
from pipelines.runner.stage_environment import set_environment

KINDS = {  # kind in YAML -> module and class
    "slurm": ("dask_jobqueue", "SLURMCluster"),
    "pbs": ("dask_jobqueue", "PBSCluster"),
    "kubernetes": ("dask_kubernetes.operator", "KubeCluster"),
}
BLANK = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}  # of a scheduler, which opens that port whatever it shows
PATIENCE = 20  # seconds for a driver to answer
NO_PAGES = "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'"


class Kernels(WorkerPlugin):
    """What a worker does before its first point: take its GPU, and find or start the server that forks its kernels."""

    name = "hourglass-kernels"

    def __init__(self, *, isolated: bool, gpus: list[str]) -> None:
        self.isolated, self.gpus, self.held = isolated, gpus, None

    def setup(self, worker: Worker) -> None:
        """Prepare one worker."""
        set_environment()  # a worker's own hash seed is not the kernels'
        if not Path("pipelines/sweeping/point.py").exists():
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
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE).stdout.split()
    except FileNotFoundError:  # no driver, no GPU
        return []
    except (OSError, subprocess.SubprocessError) as error:
        words = (getattr(error, "stderr", "") or getattr(error, "stdout", "") or "").strip()
        outcome.say(f"no GPU is used, as nvidia-smi failed: {words or error}")
        return []


def described(path: Path) -> tuple[type, dict, int, bool]:
    """Return the class, its options, the number of jobs, and whether it has TLS, of a cluster that YAML describes.

    It gives {kind, jobs, options}, and `tls: false` where no credential is wanted. Errors: ValueError for unknown fields or
    kind, a package that is not installed, or a kind that knows no TLS.
    """
    told = runs.read_yaml(path)
    tls, given = told.pop("tls", True), {"kind": str, "jobs": int, "options": dict}
    sound = set(told) == set(given) and all(type(told[name]) is kind for name, kind in given.items())
    if not sound or told["kind"] not in KINDS or told["jobs"] < 1 or not isinstance(tls, bool):
        raise ValueError(f"{path} must give kind ({', '.join(KINDS)}), jobs and options, and may give tls, got {told}")
    package, name = KINDS[told["kind"]]
    if tls and told["kind"] == "kubernetes":
        raise ValueError(
            f"{path}: the operator for Kubernetes starts workers without TLS, so that whoever reaches the scheduler in that "
            "cluster could run code; give the tls:// address of a scheduler that you start, or, where a NetworkPolicy keeps "
            "all others out, write `tls: false`"
        )
    try:
        return getattr(importlib.import_module(package), name), told["options"], told["jobs"], tls
    except ImportError as error:
        wanted = package.split(".")[0].replace("_", "-")
        raise ValueError(f"{path} needs the package {wanted}, which cannot be imported ({error}); install it first") from error


@contextmanager
def started(path: Path) -> Iterator[Cluster]:
    """Yield the cluster that a YAML file describes; the keys of its jobs lie meanwhile in a folder of this user's alone."""
    kind, options, _, tls = described(path)
    with ExitStack() as stack:
        stack.enter_context(_without_pages())
        if tls:
            Path("build").mkdir(exist_ok=True)
            folder = stack.enter_context(private.folder(str(Path("build").absolute())))
            own = {"security": _stored(Security.temporary(), Path(folder)), "scheduler_options": BLANK}
            own["worker_extra_args"] = ["--no-dashboard"]
            prologue = options.get("job_script_prologue", [])
            if not isinstance(prologue, list):
                raise ValueError(f"{path}: job_script_prologue must be a list of lines, got {prologue!r}")
            own["job_script_prologue"] = [NO_PAGES, *prologue]
            options = own | {name: value for name, value in options.items() if name != "job_script_prologue"}
        yield stack.enter_context(kind(**options))


def _stored(security: Security, folder: Path) -> Security:
    """Return a credential whose parts lie as files in a folder, where jobs on other machines read them."""
    parts = {name: getattr(security, name) for name in ("tls_ca_file", "tls_worker_cert", "tls_worker_key")}
    for name, text in parts.items():
        (folder / name).write_text(text)
    ca, cert, key = (str(folder / name) for name in parts)
    roles = ("client", "scheduler", "worker")
    own = {f"tls_{role}_cert": cert for role in roles} | {f"tls_{role}_key": key for role in roles}
    return Security(require_encryption=True, tls_ca_file=ca, **own)


def script(path: Path) -> str:
    """Return the job script by which a described cluster would start a worker."""
    kind = described(path)[0]
    if not hasattr(kind, "job_script"):
        raise ValueError(f"{path}: {kind.__name__} starts no jobs by script")
    with started(path) as cluster:
        return cluster.job_script()


@contextmanager
def _without_pages() -> Iterator[None]:
    """Have schedulers and workers of this process show no pages, as those ask for no credential."""
    with dask.config.set({"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}):
        yield


@contextmanager
def opened(where: str, *, workers: int | None = None, isolated: bool = False) -> Iterator[Client]:
    """Yield a client of "local", of a scheduler's address, or of the cluster that a YAML file describes.

    Local workers are processes of one thread, one a core, or one a GPU where there are GPUs; they share one server of kernels.
    Threads of one process take as long (24 short notebooks on two cores: 15.6 s, processes 15.9 s) and die together.
    What is started here listens to those who have its key, and on this machine alone where it is local; a scheduler at an
    address is spoken to by TLS if the address begins so, with the certificates that Dask's own configuration names.
    """
    set_environment()  # again: importing distributed has set a hash seed of its own
    with ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.nanny.pre-spawn-environ": {}}))
        found: list[str] = []
        if where == "local":
            found = gpus()
            if not (isolated or found or "HOURGLASS_WARM" in os.environ):
                stack.enter_context(warm.kernels())
            count = workers or len(found) or free_workers()
            # What ends a worker is told by the row of its point; what Dask logs of it would come between the rows.
            options = {"threads_per_worker": 1, "silence_logs": "CRITICAL", "scheduler_kwargs": BLANK}
            options |= {"host": "127.0.0.1", "security": Security.temporary()}
            stack.enter_context(_without_pages())
            with outcome.deferred():  # workers leave Ctrl-C to this process
                place = stack.enter_context(LocalCluster(n_workers=count, **options))
        elif where.endswith((".yaml", ".yml")):
            place = stack.enter_context(started(Path(where)))
            place.scale(workers or described(Path(where))[2])
        else:
            place = where
            if not where.startswith("tls://"):
                outcome.say(
                    f"the scheduler at {where} asks for no credential: who reaches it runs code; start it with TLS (tls://)"
                )
        client = stack.enter_context(Client(place, timeout="20s"))
        client.register_plugin(Kernels(isolated=isolated, gpus=found))
        yield client
