from __future__ import annotations

import hashlib
from collections import Counter

import numpy as np
import pytest

from fakes.files import FakeFetcher, png
from fakes.tables import failure, work_rows
from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.protocols import PictureSize
from tuku.runtime.sampling import Reservoir, look_at
from tuku.schemas import WORK
from tuku.stages.fingerprints import served_fingerprint
from tuku.stages.twins import CAPTION, VECTORS, Contents, content_keys

SIZES = [PictureSize(long_side_px=8)]


def stream(count: int, batch_rows: int = 7):
    rows = work_rows(*({"image_id": str(i)} for i in range(count)))
    return [rows.slice(start, batch_rows) for start in range(0, count, batch_rows)]


def sampled(batches, size: int = 5) -> list[str]:
    reservoir = Reservoir(size)
    for batch in batches:
        reservoir.add(batch)
    return reservoir.rows().column("image_id").to_pylist()


def test_a_small_catalogue_is_taken_whole():
    assert sampled(stream(4)) == ["0", "1", "2", "3"]


def test_the_same_stream_has_the_same_sample_however_it_comes():
    assert sampled(stream(1_000)) == sampled(stream(1_000, batch_rows=333))


def test_each_row_is_as_likely_as_any_other():
    drawn = Counter(int(image_id) // 100 for image_id in sampled(stream(1_000), size=500))
    assert sum(drawn.values()) == 500
    assert min(drawn.values()) > 30
    assert max(drawn.values()) < 70


def test_rows_that_have_failed_are_passed_over():
    reservoir = Reservoir()
    reservoir.add(work_rows({}, failure("plan", RowError("duplicate_id", "twice")), {}))
    assert reservoir.seen == 2
    assert reservoir.rows().column("image_id").to_pylist() == ["id-0", "id-2"]
    assert reservoir.rows().schema.equals(WORK)


def test_no_rows_are_a_sample_too():
    assert look_at(Reservoir().rows(), FakeFetcher(), DecodeConfig(), SIZES, Contents()).size == 0


def test_pictures_are_seen_at_their_own_size_and_what_fails_is_counted():
    files = {
        "/pictures/0.png": png((1, 2, 3), 40),
        "/pictures/2.png": b"no picture",
        "/pictures/3.png": png((1, 2, 3), 200),
        "/pictures/5.png": RowError("http_404", "gone"),
    }
    rows, config = work_rows(*({} for _ in range(6))), DecodeConfig(max_pixels=10_000)
    sample = look_at(rows, FakeFetcher(files), config, SIZES, Contents())
    assert [(seen.width, seen.height) for seen in sample.pictures] == [(40, 40)]
    assert sample.unreadable == {"not_found": 2, "not_an_image": 1, "too_many_pixels": 1, "http_404": 1}
    assert sample.size == 6


def test_pictures_of_which_nobody_will_be_asked_are_no_part_of_the_bill_nor_broken():
    same, known, other = png((1, 2, 3)), png((4, 5, 6)), png((7, 8, 9))
    files = {f"/pictures/{i}.png": content for i, content in enumerate([same, same, known, other])}
    files["http://h/unchanged.png"] = Fetched(b"old", '"1"')
    unchanged = {"uri": "http://h/unchanged.png", "recheck": True, "known_source": served_fingerprint('"1"', None)}
    contents = Contents(content_keys([hashlib.sha256(known).hexdigest()], np.uint64(CAPTION | VECTORS)))
    rows = work_rows({}, {}, {}, {}, unchanged)
    sample = look_at(rows, FakeFetcher(files), DecodeConfig(), SIZES, contents)
    digests = [hashlib.sha256(content).hexdigest() for content in (same, other)]
    assert [seen.content_sha256 for seen in sample.pictures] == digests
    assert (sample.unreadable, sample.settled, sample.size) == ({}, 3, 5)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_few_files_are_in_memory_at_once(count: int):
    asked = []
    rows = work_rows(*({} for _ in range(count)))
    look_at(rows, FakeFetcher(before=asked.append), DecodeConfig(), SIZES, Contents())
    assert sum(len(uris) for uris in asked) == count
    assert max(len(uris) for uris in asked) <= 4
