"""Outputs of notebooks, compared so that one computation passes on every processor, and another one does not.

Text must be equal to the letter, and so must numbers that are printed without a point. Any other number may differ by one unit
of its last printed digit, of the finer where two are printed to different digits: what lies near the border of rounding is
printed either way. Blanks pad columns, so one may be several where some number is printed wider or narrower.
"""

import copy
import re
from collections import defaultdict
from decimal import Decimal

# Digits within words, versions and hashes are no numbers: x1, 2.12.1, 3f9a. An imaginary part is one.
NUMBER = re.compile(r"(?:[-+]|(?<![\w.]))(?:(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|nan|inf)(?!j\w|[^\W\dj]|\.?\d)")
BLANKS = re.compile(r"[ \t]+")


def differences(stored: str, fresh: str) -> list[str]:
    """Return what of two texts is not the same, a line each; nothing where they agree."""
    if stored == fresh:
        return []
    old, new = NUMBER.findall(stored), NUMBER.findall(fresh)
    before, after = NUMBER.split(stored), NUMBER.split(fresh)
    if [len(z) for z in old] != [len(z) for z in new]:
        before, after = ([BLANKS.sub(" ", words) for words in z] for z in (before, after))
    if before != after:
        odd = next((pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]), (before[-1], after[-1]))
        return ["the text differs: {!r}, now {!r}".format(*odd)]
    return [f"a number differs: {a}, now {b}" for a, b in zip(old, new, strict=True) if not near(a, b)]


def near(a: str, b: str) -> bool:
    """Say whether two printed numbers are the same but for the rounding of the last digit."""
    if a == b:
        return True
    x, y = Decimal(a), Decimal(b)
    if not (x.is_finite() and y.is_finite()) or any(z.lstrip("+-").isdigit() for z in (a, b)):
        return False
    return abs(x - y) <= min(Decimal(1).scaleb(z.as_tuple().exponent) for z in (x, y))


def reconciled(fresh: list[dict], stored: list[dict]) -> tuple[list[dict], list[str]]:
    """Return fresh outputs with every text that is the same as its stored one replaced by it, and what differs, a line each.

    The n-th text of a kind is held against the n-th stored one; what has no counterpart stays as it is.
    """
    found, known, told = copy.deepcopy(fresh), defaultdict(list), []
    for kind, place, key in texts(stored):
        known[kind].append(place[key])
    for kind, place, key in texts(found):
        if not known[kind]:
            continue
        wanted = known[kind].pop(0)
        if odd := differences(wanted, place[key]):
            told += odd
        else:
            place[key] = wanted
    return found, told


def settle(fresh: dict, stored: dict) -> None:
    """Let a notebook that ran again keep each stored output that is the same, where the cell's source is."""
    for new, old in zip(fresh["cells"], stored["cells"], strict=False):
        if new["cell_type"] == old["cell_type"] == "code" and new["source"] == old["source"]:
            new["outputs"] = reconciled(new["outputs"], old["outputs"])[0]


def texts(outputs: list[dict]) -> list[tuple[str, dict, str]]:
    """Return each text of the outputs: its kind (stdout, text/plain, ...), and the dict and the key under which it lies."""
    streams = [(output["name"], output, "text") for output in outputs if output["output_type"] == "stream"]
    places = [output.get("data", {}) for output in outputs]
    return streams + [(kind, place, kind) for place in places for kind, x in place.items() if isinstance(x, str)]
