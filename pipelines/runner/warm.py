"""Kernels forked from a process that has imported what notebooks import, which takes a kernel of its own some seconds.

python -m pipelines.runner.warm   serves on the socket that is its stdin; `kernels` starts it, warm_client.py asks it

A kernel forked here is what a fresh one would be after these imports: none of `lib`, whose code may change between two
kernels, no figure, random state or thread. Who differs in a variable that libraries may have read starts its own.
"""

import builtins
import gc
import importlib
import importlib.util
import json
import logging
import multiprocessing.process
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

from lib.core.processes import die_with_parent
from pipelines.runner import private
from pipelines.runner.stage_environment import listed, set_environment

# Not what imports pooch or tqdm.auto, as timm and open_clip do: they choose at import between a notebook's progress bar and
# a terminal's. Of these two what they import themselves.
LIBRARIES = (
    *("ipykernel.kernelapp", "ipykernel.debugger", "numpy", "torch", "lightning_fabric", "safetensors.torch"),
    *("ruamel.yaml", "requests"),
    *("pandas", "scipy.stats", "scipy.signal", "sklearn.datasets", "sklearn.impute", "sklearn.neighbors"),
    *("matplotlib.pyplot", "matplotlib.backends.backend_agg", "seaborn"),
    *("numba", "torchvision", "httpx", "ftfy"),
)
# Variables that no library reads at import.
OWN = ("HOURGLASS_", "JPY_", "DVC_", "PYTEST_", "PWD=", "OLDPWD=", "SHLVL=", "_=")
OWN += ("IPYTHONDIR=", "DASK_", "SLURM_", "PBS_")


def can_fork() -> bool:
    """Return whether this system has what the server works by. A fork on macOS may crash in Apple's own libraries."""
    if sys.platform == "darwin" or not hasattr(socket, "SOCK_SEQPACKET"):
        return False
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):  # not Linux, or one before 5.3
        return False
    return Path("/proc/self/task").exists()


@contextmanager
def kernels(folder: Path = Path(), environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen | None]:
    """Have a server, working in the folder, fork the kernels that this process and its children start meanwhile.

    Where that cannot be there is none, and every kernel starts by itself.
    """
    if not can_fork():
        yield None
        return
    with private.folder() as own:
        path = f"{own}/kernels"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen(64)  # who comes during the imports waits, and is turned away if they fail
            command = [sys.executable, "-m", "pipelines.runner.warm"]
            environment = listed(environment or os.environ)  # as a kernel's
            server = subprocess.Popen(command, stdin=listener, cwd=folder, env=environment, start_new_session=True)
        os.environ["HOURGLASS_WARM"] = path
        try:
            yield server
        finally:
            server.kill()
            os.environ.pop("HOURGLASS_WARM", None)
            server.wait()


def preload() -> dict[str, str]:
    """Import the libraries and leave no other trace; return the variables that they set."""
    before = dict(os.environ)
    briefly = {
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # pyarrow's spare allocator would start a thread
        "PYTORCH_NVML_BASED_CUDA_CHECK": "0",  # lightning_fabric's choice, made for whoever imports it, slows optimisers down
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger, which kernels import and pipelines do not use, warns of itself
        "JPY_PARENT_PID": "1",  # to ipykernel a parent that need not be watched: a kernel's client is, by the server
    }
    os.environ.update(briefly)
    sys.ps1 = "In : "  # as in a kernel: lightning_fabric looks for it, pandas for the next
    builtins.get_ipython = lambda: SimpleNamespace(kernel=None)
    for name in LIBRARIES:
        importlib.import_module(name)
    del sys.ps1, builtins.get_ipython
    for name in [name for name in sys.modules if name.split(".")[0] in ("lib", "pipelines", "rfc3987_syntax")]:
        del sys.modules[name]
    if sys.path[0] == os.getcwd():
        del sys.path[0]
    gc.collect()
    gc.freeze()  # so that collecting garbage copies no shared page
    return {name: value for name, value in os.environ.items() if before.get(name) != value and name not in briefly}


def compared(environment: dict[str, str]) -> dict[str, str]:
    """Return the variables in which a kernel must not differ from this process."""
    return {name: value for name, value in environment.items() if not f"{name}=".startswith(OWN)}


def serve(listener: socket.socket, fixed: dict[str, str]) -> tuple[dict, list[int]]:
    """Fork a kernel for every client; return, in the kernel, what the client sent."""
    server, selector = os.getpid(), selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fileobj is not listener:
                attend(selector, key)
                continue
            client, _ = listener.accept()
            request, files = received(client)
            if not request or not fit(request, fixed):
                client.close()
            elif pid := os.fork():
                os.setpgid(pid, pid)
                with suppress(ConnectionError):  # a client that has gone is seen by its socket below
                    client.send(b"warm")
                kernel = (pid, ended := os.pidfd_open(pid), client)
                selector.register(ended, selectors.EVENT_READ, kernel)
                selector.register(client, selectors.EVENT_READ, kernel)
            else:
                die_with_parent()
                if os.getppid() != server:
                    os._exit(1)
                for key in list(selector.get_map().values()):
                    os.close(key.fd) if isinstance(key.fileobj, int) else key.fileobj.close()
                selector.close()
                client.close()
                return request, files
            for file in files:
                os.close(file)


def received(client: socket.socket) -> tuple[dict | None, list[int]]:
    """Return a client's request with its three standard files."""
    client.settimeout(5)
    try:
        text, files, _, _ = socket.recv_fds(client, 1 << 20, 3)
        return json.loads(text or "null"), files
    except OSError:  # it then starts its own kernel, which says what is wrong
        return None, []


def fit(request: dict, fixed: dict[str, str]) -> bool:
    """Return whether a fork of this process would be the kernel that the client would start."""
    torch = sys.modules["torch"]
    return (
        os.path.join(request["cwd"], request["command"][0]) == sys.executable  # relative where a colon forbids it in PATH
        and request["command"][1:3] == ["-m", "ipykernel_launcher"]
        and compared(request["environment"]) == fixed
        and threading.active_count() == len(os.listdir("/proc/self/task")) == 1
        and not torch.cuda.is_initialized()
    )


def attend(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Tell a client how its kernel ended, or pass its signal on; a client that is gone takes its kernel along."""
    pid, ended, client = key.data
    if key.fileobj == ended:
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with suppress(OSError):  # it has gone before its kernel
            client.send(str(status).encode())
        with suppress(KeyError):  # one that is gone is no longer registered
            selector.unregister(client)
        selector.unregister(ended)
        os.close(ended)
        client.close()
    elif client.fileno() >= 0:
        try:
            number = client.recv(1)
        except OSError:  # it has gone, as with an empty answer
            number = b""
        if not number:
            selector.unregister(client)
        os.killpg(pid, number[0] if number else signal.SIGKILL)


def become(request: dict, files: list[int], made: dict[str, str]) -> None:
    """Take over what a process inherits from the one that starts it, and what depends on it."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(request["environment"] | made)
    os.chdir(request["cwd"])
    multiprocessing.process.ORIGINAL_DIR = request["cwd"]  # where workers look for modules
    sys.argv = [importlib.util.find_spec("ipykernel_launcher").origin, *request["command"][3:]]
    sys.path_importer_cache.clear()
    sys.modules["numpy"].random.seed()  # these two have drawn their seeds at import, which all forks would share
    sys.modules["torch"].default_generator.seed()


def main() -> None:
    """Import, serve, and run the kernel in each fork."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a kernel's own business
    set_environment()
    fixed = compared(dict(os.environ))
    with socket.socket(fileno=os.dup(0)) as listener:
        made = preload()
        become(*serve(listener, fixed), made)
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    handlers = [handler for logger in loggers for handler in getattr(logger, "handlers", ())]
    kernel = sys.modules["ipykernel.kernelapp"].IPKernelApp.instance()
    kernel.initialize()
    for handler in handlers:
        if getattr(handler, "stream", None) is sys.__stderr__:  # a fresh kernel imports when sys.stderr is the notebook's
            handler.setStream(sys.stderr)
    kernel.start()


if __name__ == "__main__":
    main()
