"""Stands in for a kernel that the server of pipelines/runner/warm.py forks, or becomes an ordinary kernel where that cannot be.

python -I -S warm_client.py PYTHON -m ipykernel_launcher -f FILE

HOURGLASS_WARM names the server's socket. Kept apart and to few modules, as every kernel waits for this file to start.
"""

import json
import os
import signal
import socket
import sys


def command(cold: list[str]) -> list[str]:
    """Return what to start in place of an ordinary kernel's command: the same without a server."""
    return [sys.executable, "-I", "-S", __file__, *cold] if "HOURGLASS_WARM" in os.environ else cold


def word(server: socket.socket) -> bytes:
    """Wait for the server's next word, none if it has ended; end with the kernel's manager, as ipykernel does."""
    while True:
        try:
            return server.recv(16)
        except TimeoutError:
            if os.environ.get("JPY_PARENT_PID", parent := str(os.getppid())) != parent:
                os._exit(1)


def main(cold: list[str]) -> None:
    """Hand the server all that a kernel inherits, pass signals on, end as the kernel ends; the server kills it if this ends."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.settimeout(1)
    try:
        server.connect(os.environ["HOURGLASS_WARM"])
        request = {"command": cold, "cwd": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
        answer = word(server)
    except OSError:  # no server: an ordinary kernel does as well
        answer = b""
    if answer != b"warm":
        os.execv(cold[0], cold)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: server.send(bytes([number])))
    try:
        status = int(word(server) or -signal.SIGKILL)
    except ConnectionError:  # the server was killed, and its kernels with it
        status = -signal.SIGKILL
    os._exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main(sys.argv[1:])
