"""A run's kernel is reached by its user alone, keeps no history, and inherits what is listed."""

import asyncio
import subprocess
import sys
from pathlib import Path
from queue import Empty

import pytest
import zmq.asyncio
from jupyter_client.session import Session

from pipelines.runner import kernel
from tests import ROOT


@pytest.fixture
def manager():
    return kernel.NativeKernel()


def test_sockets_and_key_lie_where_nobody_else_reads(manager):
    other, own = kernel.NativeKernel(), Path(kernel.own_folder())
    assert own.stat().st_mode & 0o777 == 0o700 and manager.transport == other.transport == "ipc"
    places = [Path(place) for one in (manager, other) for place in (one.ip, one.connection_file)]
    assert {place.parent for place in places} == {own} and len(set(places)) == 4


def test_the_command_is_of_this_python_by_a_server_where_one_is_named(manager, monkeypatch):
    monkeypatch.delenv("HOURGLASS_WARM", raising=False)
    cold = manager.format_kernel_cmd()
    assert cold[:3] == [sys.executable, "-m", "ipykernel_launcher"] and cold[-1] == "--HistoryManager.enabled=False"
    monkeypatch.setenv("HOURGLASS_WARM", "/nowhere")
    warm = manager.format_kernel_cmd()
    assert warm[-len(cold) :] == cold and kernel.warm_client.__file__ in warm


def test_a_kernel_inherits_what_is_listed_and_a_folder_of_its_own(manager, monkeypatch):
    given = {}

    async def start(self, **options):
        given.update(options["env"])
        return [], {}

    monkeypatch.setattr(kernel.AsyncKernelManager, "_async_pre_start_kernel", start)
    monkeypatch.setenv("IPYTHONDIR", "/home/ann/.ipython")
    monkeypatch.setenv("PYTHONSTARTUP", "/home/ann/start.py")
    asyncio.run(manager._async_pre_start_kernel())
    assert given["IPYTHONDIR"] == f"{kernel.own_folder()}/ipython" and "PATH" in given and "PYTHONSTARTUP" not in given


@pytest.mark.parametrize(("ending", "heard"), [(False, 1), (True, 0)])
def test_a_kernel_that_is_being_ended_is_not_interrupted(manager, monkeypatch, ending, heard):
    interrupts = []

    async def interrupt(self):
        interrupts.append(self)

    monkeypatch.setattr(kernel.AsyncKernelManager, "_async_interrupt_kernel", interrupt)
    manager.shutting_down = ending
    asyncio.run(manager._async_interrupt_kernel())
    assert len(interrupts) == heard


@pytest.fixture
def deaf(monkeypatch):
    """A channel of stages on a socket whose signal is lost: without a timeout it hears nothing, with one it looks again."""
    looks = []

    async def get_msg(self, timeout=None):
        if timeout is None:
            await asyncio.Event().wait()
        looks.append(timeout)
        if len(looks) < 3:
            raise Empty
        return {"msg_type": "execute_reply"}

    monkeypatch.setattr(kernel.AsyncZMQSocketChannel, "get_msg", get_msg)
    context = zmq.asyncio.Context()
    made = kernel.WakefulClient.shell_channel_class.default_value
    yield made(context.socket(zmq.DEALER), Session(key=b"toy"))
    context.destroy(linger=0)


def test_a_reply_whose_signal_is_lost_is_seen(deaf, manager):
    assert manager.client_factory is kernel.WakefulClient
    assert asyncio.run(asyncio.wait_for(deaf.get_msg(), 5))["msg_type"] == "execute_reply"
    with pytest.raises(TimeoutError):  # so would the channel of the library alone
        asyncio.run(asyncio.wait_for(super(kernel.WakefulChannel, deaf).get_msg(), 0.1))


WIDGETS = """
import sys
from pathlib import Path
from nbformat import v4
from pipelines.runner.kernel import execute
show = "import ipywidgets; ipywidgets.interactive_output(lambda x: print(x), {'x': ipywidgets.IntSlider(1)})"
book = v4.new_notebook(cells=[v4.new_code_cell("x = 1", metadata={"tags": ["parameters"]})])
book.cells += [v4.new_code_cell(show) for _ in range(16)]
execute(book, {}, Path(sys.argv[1]))
"""


@pytest.mark.programs
def test_cells_that_show_widgets_end(tmp_path):
    command = [sys.executable, "-c", WIDGETS, str(tmp_path / "done.ipynb")]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)  # half of such cells lose a signal, and waited for ever
