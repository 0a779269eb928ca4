"""Every source states hashes of a known kind, an address that does not move, and a work that is in the bibliography."""

import re

import pytest

from lib.data.addresses import CIFAR_BATCHES, GITHUB, SOURCES
from tests import ROOT

DIGEST = re.compile(r"[0-9a-f]{64}|gitblob:[0-9a-f]{40}|md5:[0-9a-f]{32}")
every = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


@every
def test_hashes_have_the_length_of_their_kind(source):
    digests = [*source.files.values(), *([source.archive[1]] if source.archive else [])]
    assert digests and all(DIGEST.fullmatch(digest) for digest in digests)
    assert len(set(digests)) == len(digests), "two files of one content"


@every
def test_addresses_do_not_move(source):
    assert source.base.startswith("https://") and source.base.endswith("/"), "file names are appended"
    pinned = re.search(r"/[0-9a-f]{40}/", source.base) or all(digest.startswith("gitblob:") for digest in source.files.values())
    assert pinned or not source.base.startswith(GITHUB), "a branch may change: name a commit"


@every
def test_places_are_those_of_files_that_there_are(source):
    assert set(source.paths or {}) <= set(source.files)
    assert not source.archive or set(source.paths) == set(source.files), "a member of an archive has a place in it"


@every
def test_works_are_in_the_bibliography_and_licences_are_stated(source):
    assert f"{{{source.citation}," in (ROOT / "references.bib").read_text() and source.licence


def test_batches_for_training_come_before_the_one_for_testing():
    assert set(CIFAR_BATCHES) == set(SOURCES["cifar10"].files)
    assert len(CIFAR_BATCHES) == 6 and CIFAR_BATCHES[-1] == "test_batch"
