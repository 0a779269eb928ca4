"""A run's kernel is reached by its user alone, keeps no history, and inherits what is listed."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
import zmq.asyncio
from jupyter_client.session import Session

from pipelines.runner import kernel


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


async def reply_during_a_send(tmp_path: Path) -> dict:
    """Await a cell's reply that comes in just before a widget's state goes out on the same socket."""
    context, place = zmq.asyncio.Context(), f"ipc://{tmp_path}/shell"
    ours, theirs = context.socket(zmq.DEALER), context.socket(zmq.DEALER)
    theirs.bind(place)
    ours.connect(place)
    channel = kernel.WakefulClient.shell_channel_class.default_value(ours, Session(key=b""))
    awaited = asyncio.ensure_future(channel.get_msg())
    await asyncio.sleep(0.3)  # it waits
    channel.session.send(theirs, "execute_reply")
    time.sleep(0.3)  # it is here, and the loop has not seen it
    channel.send(channel.session.msg("comm_msg"))
    try:
        return await asyncio.wait_for(awaited, 10)
    finally:
        context.destroy(linger=0)


def test_a_reply_that_comes_in_during_a_send_is_seen(tmp_path, manager):
    assert manager.client_factory is kernel.WakefulClient
    assert asyncio.run(reply_during_a_send(tmp_path))["msg_type"] == "execute_reply"
