"""Papermill on this environment's own kernel, whatever kernelspecs the machine has.

python -m pipelines.runner.kernel NOTEBOOK   executes it in place, in the current folder, with its own parameters
"""

import atexit
import logging
import os
import sys
import uuid
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from queue import Empty

from pipelines.runner import private, warm_client
from pipelines.runner.stage_environment import compute_alone, listed, set_environment

set_environment()

import nbformat  # noqa: E402
import papermill  # noqa: E402
from jupyter_client.asynchronous import AsyncKernelClient  # noqa: E402
from jupyter_client.channels import AsyncZMQSocketChannel  # noqa: E402
from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines  # noqa: E402
from traitlets import Type  # noqa: E402

from lib.core.progress import Report  # noqa: E402
from pipelines.runner.native_specs import NativeSpecs  # noqa: E402
from pipelines.runner.notebook_file import read_notebook  # noqa: E402


@cache
def own_folder() -> str:
    """Return a folder for sockets and for what IPython wants to have, gone with this process."""
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(private.folder())


class WakefulChannel(AsyncZMQSocketChannel):
    """A channel that looks again ten times a second whether a message is there.

    A widget's state goes out on the socket on which a cell's reply is awaited, past the loop that awaits it. Where the
    reply comes in during that send, the send takes its signal (zmq_getsockopt, ZMQ_FD), and the loop would wait for ever.
    """

    async def get_msg(self, timeout: float | None = None) -> dict:
        """Return the next message; without a timeout wait until there is one."""
        while timeout is None:
            with suppress(Empty):
                return await super().get_msg(0.1)
        return await super().get_msg(timeout)


class WakefulClient(AsyncKernelClient):
    """A client of kernels that misses no reply."""

    shell_channel_class = Type(WakefulChannel)


class StageKernel:
    """What a kernel manager of a run has: kernels that inherit what is listed, and are forked where that can be."""

    def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
        """Return the command that starts the kernel, by a server of kernels where one is named; no history of inputs."""
        return warm_client.command([*super().format_kernel_cmd(extra_arguments), "--HistoryManager.enabled=False"])

    async def _async_pre_start_kernel(self, **options: object) -> tuple[list[str], dict]:
        """Let the kernel inherit no start-up file or setting of whoever runs it."""
        options["env"] = listed(os.environ) | {"IPYTHONDIR": f"{own_folder()}/ipython"}
        return await super()._async_pre_start_kernel(**options)


class NativeKernel(StageKernel, AsyncKernelManager):
    """A kernel manager that knows the running Python only, and talks to it over sockets that other users cannot reach."""

    def _client_factory_default(self) -> type:
        return WakefulClient

    def _transport_default(self) -> str:
        return "ipc"

    def _ip_default(self) -> str:
        """Return where its sockets lie; left alone, kernels started in one folder at one time take each other's."""
        return f"{own_folder()}/{uuid.uuid4().hex[:8]}"

    def _connection_file_default(self) -> str:
        """Return where its key lies; left alone, it would among the temporary files, and stay if this process is killed."""
        return f"{own_folder()}/{uuid.uuid4().hex[:8]}.json"

    def _kernel_spec_manager_default(self) -> NativeSpecs:
        return NativeSpecs(parent=self)

    async def _async_interrupt_kernel(self) -> None:
        """Interrupt, but not on the way to a shutdown, where an idle kernel would report an error."""
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


class CountedEngine(NBClientEngine):
    """Papermill's own engine, with a bar that counts cells by lib.core.progress."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: NotebookExecutionManager, kernel_name: str, **options: object) -> None:
        """Execute the notebook; papermill moves and closes what it finds in `pbar`."""
        if os.environ.get("HOURGLASS_PROGRESS"):
            nb_man.pbar = CellBar(Path(nb_man.output_path).stem, len(nb_man.nb.cells))
        super().execute_managed_notebook(nb_man, kernel_name, **options)


class CellBar(Report):
    """What papermill wants of a bar."""

    def refresh(self) -> None:
        """Nothing to do: a report is drawn when it comes."""


papermill_engines.register("counted", CountedEngine)


def execute(notebook: nbformat.NotebookNode, values: dict, path: Path) -> nbformat.NotebookNode:
    """Run a notebook with parameter values in the current folder, saving it at `path` as it goes.

    Errors: papermill.PapermillExecutionError; the notebook at `path` then ends with the traceback.
    """
    os.environ.setdefault("HOURGLASS_PROGRESS", "")  # what is stored shows no bar
    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it would say, its errors say
    return papermill.execute_notebook(
        notebook,
        path,
        parameters=values,
        engine_name="counted",
        kernel_name="python3",
        kernel_manager_class=NativeKernel,
        shutdown_kernel="immediate",  # asked to shut down, one in some dozens prints a traceback of its own sockets
        progress_bar=False,
    )


if __name__ == "__main__":
    compute_alone()  # a notebook's own parameters are small
    file = Path(sys.argv[1])
    execute(read_notebook(file), {}, file)
