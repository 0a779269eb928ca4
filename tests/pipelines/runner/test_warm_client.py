"""What stands in for a kernel hands over all that it inherits and ends as the kernel does; without a server it becomes one."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.runner import warm, warm_client

pytestmark = pytest.mark.skipif(not warm.can_fork(), reason="this system's kernels start by themselves")

COLD = ["/bin/echo", "an ordinary kernel"]
STAND_IN = [sys.executable, "-I", "-S", warm_client.__file__, *COLD]


@pytest.fixture
def listening(tmp_path):
    """The socket of a server, and the variables of who is told of it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.settimeout(20)
        listening.bind(str(tmp_path / "socket"))
        listening.listen()
        yield listening, {"HOURGLASS_WARM": str(tmp_path / "socket"), "LC_ALL": "C.UTF-8"}


def accepted(listening):
    """Return the connection of a client, and what it asks for."""
    client, _ = listening.accept()
    request, descriptors, *_ = socket.recv_fds(client, 1 << 20, 3)
    for one in descriptors:
        os.close(one)
    return client, json.loads(request), len(descriptors)


def test_without_a_server_the_command_stays(monkeypatch):
    monkeypatch.delenv("HOURGLASS_WARM", raising=False)
    assert warm_client.command(COLD) == COLD
    monkeypatch.setenv("HOURGLASS_WARM", "/nowhere")
    assert warm_client.command(COLD) == STAND_IN


@pytest.mark.parametrize(("status", "code"), [(b"0", 0), (b"3", 3), (b"-9", 137), (b"", 137)])
def test_it_hands_over_what_it_has_passes_signals_on_and_ends_as_the_kernel_ends(listening, tmp_path, status, code):
    server, variables = listening
    with subprocess.Popen(STAND_IN, cwd=tmp_path, env=variables) as process:
        client, request, descriptors = accepted(server)
        with client:
            assert request["command"] == COLD and request["cwd"] == str(tmp_path) and descriptors == 3
            assert request["environment"].items() >= variables.items()
            client.send(b"warm")
            if status == b"0":
                until_caught(process.pid)
                process.send_signal(signal.SIGINT)
                assert client.recv(16) == bytes([signal.SIGINT])
            if status:
                client.send(status)
        assert process.wait(20) == code


def until_caught(pid, seconds=20):
    """Wait until a process has set what it does on SIGTERM, the last of its signals."""
    until = time.monotonic() + seconds
    while not int(re.search(r"SigCgt:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())[1], 16) >> (signal.SIGTERM - 1) & 1:
        assert time.monotonic() < until, "it never set what it does on SIGTERM"
        time.sleep(0.01)


def test_a_server_that_will_not_leaves_an_ordinary_kernel(listening):
    server, variables = listening
    with subprocess.Popen(STAND_IN, env=variables, stdout=subprocess.PIPE, text=True) as process:
        client, _, _ = accepted(server)
        with client:
            client.send(b"cold")
            assert process.communicate(timeout=20) == ("an ordinary kernel\n", None)


def test_no_server_leaves_an_ordinary_kernel(tmp_path):
    variables = {"HOURGLASS_WARM": str(tmp_path / "nobody")}
    done = subprocess.run(STAND_IN, env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "an ordinary kernel\n", "")
