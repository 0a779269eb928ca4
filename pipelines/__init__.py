"""Thin entry points: run a notebook as a stage, reproduce, report, record, sweep."""

import os
import signal
import sys
from types import FrameType


def _quit(number: int, frame: FrameType | None) -> None:
    os.write(2, b"stopped; the same command goes on\n")
    os._exit(128 + number)


if sys.argv[:1] == ["-m"]:  # a program, which spends its first seconds on imports, when nothing is half-done yet
    signal.signal(signal.SIGINT, _quit)
