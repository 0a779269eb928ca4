"""Public data sets by their canonical addresses; every byte is checked against a recorded hash before it is used.

HOURGLASS_CACHE names the folder for downloads (default: the user's cache folder). HOURGLASS_DATA_MIRROR names a folder or URL
that holds the same files as NAME/FILE or, packed, NAME/FILE.xz; it then stands in for all canonical addresses.
HOURGLASS_FETCHED names a file to which every file that is asked for is added, with its hash: what a run was given.
"""

import hashlib
import lzma
import os
import shutil
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urljoin

import pooch
import requests
from tqdm import tqdm

from lib.core import checks
from lib.data.addresses import SOURCES, Source

pooch.get_logger().setLevel("WARNING")


def fetch(name: str, files: Sequence[str] | None = None) -> dict[str, Path]:
    """Return files of a public data set, all unless some are named, {file name: path in the cache}, downloading what lacks.

    Errors: ValueError for an unknown set or file, or for bytes that are not the recorded ones (they are deleted);
    OSError, naming file and address, if a file cannot be had.
    """
    source = checks.known(name, SOURCES, "public data set")
    folder = Path(os.environ.get("HOURGLASS_CACHE") or pooch.os_cache("hourglass")) / name
    wanted = {file: checks.known(file, source.files, f"file of {name}") for file in files or source.files}
    for file, digest in wanted.items():
        if not (folder / file).exists():
            folder.mkdir(parents=True, exist_ok=True)
            obtain(name, file, digest, folder / file)
    if told := os.environ.get("HOURGLASS_FETCHED"):
        with open(told, "a", encoding="utf-8") as log:
            log.write("".join(f"{name}/{file} {digest}\n" for file, digest in wanted.items()))
    return {file: folder / file for file in wanted}


def obtain(name: str, file: str, wanted: str, target: Path) -> None:
    """Bring one file from the mirror or its canonical address, check it, put it in place."""
    mirror, part = os.environ.get("HOURGLASS_DATA_MIRROR"), target.with_name(f".{target.name}.part")
    source = SOURCES[name]
    if not mirror and source.archive:
        unpack(name, source, file, part)
    elif not mirror:
        download(urljoin(source.base, (source.paths or {}).get(file, file)), part)
    elif mirror.startswith(("http://", "https://")):
        download(f"{mirror.rstrip('/')}/{name}/{file}", part)
    else:
        copy(Path(mirror) / name / file, part)
    os.replace(checked(f"{name}/{file}", part, wanted), target)


def checked(what: str, part: Path, wanted: str) -> Path:
    """Return a file that has the recorded hash; delete any other."""
    if (found := fingerprint(part, wanted)) != wanted:
        part.unlink()
        raise ValueError(f"{what} has the hash {found}, not the recorded {wanted}; it was deleted, fetch it from another place")
    return part


def unpack(name: str, source: Source, file: str, part: Path) -> None:
    """Bring one member of a source's archive, which is kept beside it, checked, so that others need no second download."""
    packed, wanted = source.archive
    archive = part.with_name(packed)
    if not archive.exists():
        whole = part.with_name(f".{packed}.part")
        download(urljoin(source.base, packed), whole)
        os.replace(checked(f"{name}/{packed}", whole, wanted), archive)
    with tarfile.open(archive) as members, part.open("wb") as target:
        shutil.copyfileobj(members.extractfile((source.paths or {}).get(file, file)), target)


def copy(path: Path, part: Path) -> None:
    """Copy a file of a mirror folder, unpacking it if only its .xz is there."""
    packed = path.with_name(f"{path.name}.xz")
    if not path.exists() and not packed.exists():
        raise FileNotFoundError(
            f"the mirror has neither {path} nor its .xz; unset HOURGLASS_DATA_MIRROR or complete the mirror"
        )
    with path.open("rb") if path.exists() else lzma.open(packed) as source, part.open("wb") as target:
        shutil.copyfileobj(source, target)


def download(url: str, part: Path) -> None:
    """Download to `part`, going on from the bytes that an earlier try left there."""
    pooch.retrieve(url, known_hash=None, fname=part.name, path=part.parent, downloader=resume)


def resume(url: str, output: str, _: pooch.Pooch) -> None:
    """Pooch downloader that asks for the missing bytes only; what has come survives in NAME.partial."""
    kept = Path(output).with_name(f"{hashlib.sha256(url.encode()).hexdigest()[:16]}.partial")
    have = kept.stat().st_size if kept.exists() else 0
    try:
        with requests.get(url, headers={"Range": f"bytes={have}-"} if have else {}, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            have = have if answer.status_code == requests.codes.partial_content else 0
            size = have + int(answer.headers.get("Content-Length", 0))
            quiet = None if sys.stderr.isatty() else True
            shown = tqdm(total=size, initial=have, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[1], disable=quiet)
            with shown as bar, kept.open("ab" if have else "wb") as file:
                for chunk in answer.iter_content(2**16):
                    bar.update(file.write(chunk))
    except requests.RequestException as error:
        raise OSError(
            f"{url} cannot be had: {error}; run again to go on, or set HOURGLASS_DATA_MIRROR to a folder with it"
        ) from None
    os.replace(kept, output)


def fingerprint(path: Path, wanted: str) -> str:
    """Return the file's hash of the same kind as the wanted one: a git blob's id, MD5 where it says so, or else SHA-256."""
    if wanted.startswith("gitblob:"):
        content = path.read_bytes()
        return "gitblob:" + hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if wanted.startswith("md5:"):
        return "md5:" + pooch.file_hash(str(path), alg="md5")
    return pooch.file_hash(str(path))
