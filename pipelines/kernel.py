"""Papermill on this environment's own kernel, whatever kernelspecs the machine has.

python -m pipelines.kernel NOTEBOOK   executes it in place, in the current folder, with its own parameters
"""

import atexit
import logging
import os
import shutil
import sys
import tempfile
import uuid
from functools import cache
from pathlib import Path

from pipelines import warm_client
from pipelines.stage_environment import compute_alone, set_environment

set_environment()

import nbformat  # noqa: E402
import papermill  # noqa: E402
from jupyter_client.kernelspec import KernelSpecManager  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402


@cache
def sockets() -> str:
    """Return a folder, gone with this process, whose path is short enough for sockets."""
    folder = tempfile.mkdtemp(prefix="hourglass-", dir="/tmp")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class NativeSpecs(KernelSpecManager):
    """Look in no folder, which leaves the kernel of the running Python."""

    kernel_dirs: list = []  # noqa: RUF012 - a traitlet of the parent class


class NativeKernel(AsyncKernelManager):
    """A kernel manager that knows the running Python only, and talks to it over sockets that other users cannot reach."""

    def _transport_default(self) -> str:
        return "ipc"

    def _ip_default(self) -> str:
        """Return where its sockets lie; left alone, kernels started in one folder at one time take each other's."""
        return f"{sockets()}/{uuid.uuid4().hex[:8]}"

    def _kernel_spec_manager_default(self) -> NativeSpecs:
        return NativeSpecs(parent=self)

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the command that starts the kernel, by a server of kernels where one is named; no history of inputs."""
        return warm_client.command([*super().format_kernel_cmd(extra_arguments), "--HistoryManager.enabled=False"])

    async def _async_interrupt_kernel(self) -> None:
        """Interrupt, but not on the way to a shutdown, where an idle kernel would report an error."""
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


def execute(notebook: nbformat.NotebookNode, values: dict, path: Path, *, shown: bool = True) -> nbformat.NotebookNode:
    """Run a notebook with parameter values in the current folder, saving it at `path` as it goes, with bars if shown.

    Errors: papermill.PapermillExecutionError; the notebook at `path` then ends with the traceback.
    """
    shown = shown and sys.stderr.isatty()
    os.environ["HOURGLASS_PROGRESS"] = "tty" if shown else ""
    logging.getLogger("papermill").setLevel(logging.ERROR)
    return papermill.execute_notebook(
        notebook,
        path,
        parameters=values,
        kernel_name="python3",
        kernel_manager_class=NativeKernel,
        shutdown_kernel="immediate",  # asked to shut down, one in some dozens prints a traceback of its own sockets
        progress_bar={"desc": path.stem} if shown else False,
    )


if __name__ == "__main__":
    compute_alone()  # a notebook's own parameters are small
    file = Path(sys.argv[1])
    execute(nbformat.read(file, as_version=4), {}, file)
