"""make lab: JupyterLab on start_here, never without a token where others can reach it.

HOURGLASS_ARGS="--ip 0.0.0.0 --port 9000" python -m pipelines.lab   the options are split into words, and no shell reads them
"""

import ipaddress
import os
import shlex
import socket
import sys
from pathlib import Path

from jupyterlab.labapp import LabApp

EVERYWHERE = ("", "*", "0.0.0.0", "::")
ROOT = Path(__file__).resolve().parents[1]


def words(text: str) -> list[str]:
    """Return the options that a user gives as one text; ValueError says what is wrong with it."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(
            f'ARGS={text} cannot be split into words: {error}; write it as in a shell, ARGS="--port 9000"'
        ) from None


def reached_from_elsewhere(ip: str) -> bool:
    """Return whether a server that listens at this address can be reached from other machines."""
    try:
        return not ipaddress.ip_address(ip).is_loopback
    except ValueError:  # a name; an empty one is every address
        return ip != "localhost"


def refuse_open(server: object) -> None:
    """Refuse a server that lets others run code here without a token or password, whoever asked for that and how.

    On this machine alone that is whoever else works on it.
    """
    if not server.identity_provider.auth_enabled:
        place = server.sock or f"{server.ip or 'any address'}:{server.port}"
        raise ValueError(
            f"refused: without a token or password, whoever reaches {place} could run code here as you; leave the empty token "
            "(IdentityProvider.token, ServerApp.token) out"
        )


def notes(server: object) -> list[str]:
    """Return what a user of this server has to know."""
    said = ["JupyterLab runs as root: what notebooks do may change anything here"] if os.geteuid() == 0 else []
    if "SSH_CONNECTION" in os.environ or reached_from_elsewhere(server.ip):
        host = (os.environ.get("SSH_CONNECTION", "").split()[2:3] or [socket.gethostname()])[0]
        near = server.ip in EVERYWHERE or not reached_from_elsewhere(server.ip)
        tunnel = f"{server.port}:{'localhost' if near else server.ip}:{server.port} {os.environ.get('LOGNAME', 'USER')}@{host}"
        said.append(f"on your own machine: ssh -N -L {tunnel}   and open there the address with 127.0.0.1")
    return said


def main() -> int:
    """Start it; say one thing and return 1 if it cannot be."""
    own = [f"--config={ROOT}/pipelines/setup/jupyter_config.py", *(["--allow-root"] if os.geteuid() == 0 else [])]
    try:
        given = words(os.environ.get("HOURGLASS_ARGS", ""))
        server = LabApp.initialize_server(argv=[*own, *given])
        refuse_open(server)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(notes(server)), file=sys.stderr)
    server.start()
    return 0


if __name__ == "__main__":
    sys.exit(main())
