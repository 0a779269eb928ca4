"""A person at a terminal: a command on a pseudo-terminal, keys pressed, and what stands on its screen."""

import signal
import time
from pathlib import Path

import pexpect
import pyte

COLUMNS = 160


def hear() -> None:
    """Take keys and a closed window as at a terminal, also where whoever started the tests ignores them, as nohup does."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """One command on a terminal of its own."""

    def __init__(self, command: list[str], *, cwd: Path, env: dict[str, str], rows: int = 200):
        size = {"dimensions": (rows, COLUMNS), "timeout": 1}
        options = size | {"cwd": str(cwd), "env": env | {"TERM": "xterm"}, "preexec_fn": hear}
        self.child = pexpect.spawn(command[0], command[1:], **options)
        self.screen = pyte.Screen(COLUMNS, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.seen = b""
        self.status: int | None = None

    def read(self) -> bool:
        """Take what has come; return whether more may."""
        try:
            part = self.child.read_nonblocking(1 << 16, timeout=0.1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.seen += part
        self.stream.feed(part)
        return True

    def until(self, text: str, seconds: float = 60) -> list[str]:
        """Read until the text has come; return what stands on the screen then."""
        end = time.monotonic() + seconds
        while text.encode() not in self.seen:
            assert self.read() and time.monotonic() < end, f"{text!r} never came:\n" + "\n".join(self.lines())
        return self.lines()

    def press(self, key: str) -> None:
        self.child.send(key)

    def close(self) -> None:
        """Close the window, as a lost connection does."""
        self.child.ptyproc.fileobj.close()
        self.child.closed = self.child.ptyproc.closed = True  # or its end would close whatever has taken the number since

    def end(self, seconds: float = 90) -> int:
        """Wait for the command; return its exit status as a shell would."""
        until = time.monotonic() + seconds
        while self.read():
            assert time.monotonic() < until, "\n".join(self.lines())
        self.child.wait()
        return self.child.exitstatus if self.child.exitstatus is not None else 128 + self.child.signalstatus

    def lines(self) -> list[str]:
        """What stands on the screen, without empty lines."""
        return [line.rstrip() for line in self.screen.display if line.strip()]
