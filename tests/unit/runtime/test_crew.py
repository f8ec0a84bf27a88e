"""Slices are worked side by side, but no more of them in a lane than it has places."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fakes.models import FakeCaptioner, FakeEmbedder
from tuku.config import Config, RuntimeConfig
from tuku.pipeline import Models
from tuku.runtime.crew import Crew, blocks_at_once, slices_at_once
from tuku.terms import Terms


def test_results_are_in_order() -> None:
    def late_first(part: int) -> int:
        time.sleep(0.02 * (3 - part))
        return part * 10

    assert Crew(3, {}).map(late_first, [0, 1, 2]) == [0, 10, 20]


def test_no_more_threads_are_in_a_lane_than_it_has_places() -> None:
    crew, inside, most = Crew(6, {"cpu": 2}), [0], [0]
    lock = threading.Lock()

    def work(_: int) -> None:
        with crew.turn("cpu"):
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            with lock:
                inside[0] -= 1

    crew.map(work, range(12))
    assert most == [2]


def test_a_lane_without_places_holds_all() -> None:
    crew, together = Crew(4, {"cpu": 1}), threading.Barrier(4)

    def work(_: int) -> int:
        with crew.turn("api"):
            return together.wait(timeout=5)

    assert sorted(crew.map(work, range(4))) == [0, 1, 2, 3]


def test_blocks_share_the_threads() -> None:
    crew, together = Crew(4, {}), threading.Barrier(4)
    with ThreadPoolExecutor(2) as callers:
        blocks = [callers.submit(crew.map, lambda _: together.wait(timeout=5), [0, 1]) for _ in range(2)]
        assert sorted(place for block in blocks for place in block.result()) == [0, 1, 2, 3]


def test_after_a_failure_what_has_begun_ends_and_the_rest_is_dropped() -> None:
    ended: list[int] = []

    def work(part: int) -> int:
        if part == 1:
            raise ZeroDivisionError
        time.sleep(0.05)
        ended.append(part)
        return part

    crew = Crew(2, {})
    with pytest.raises(ZeroDivisionError):
        crew.map(work, range(50))
    assert 0 in ended
    assert len(ended) < 5
    assert crew.map(work, [7]) == [7]


def models(terms: Terms | None) -> Models:
    captioner = FakeCaptioner().description
    if terms is not None:
        captioner = replace(captioner, lane="api", terms=terms)
    return Models.of(Config(), captioner, FakeEmbedder().description)


CONFIG = Config(runtime=RuntimeConfig(slice_rows=32, block_rows=256))


def test_a_machine_gets_one_slice_ahead() -> None:
    bound = models(None)
    assert (slices_at_once(bound, CONFIG, 2), blocks_at_once(bound, CONFIG, 2)) == (2, 1)


def test_a_service_gets_more_rows_than_it_has_requests_in_flight() -> None:
    served = models(Terms(concurrency=64))
    assert slices_at_once(served, CONFIG, 2) * 32 >= 2 * 64
    assert blocks_at_once(served, CONFIG, 2) * 256 > slices_at_once(served, CONFIG, 2) * 32


def test_with_a_small_quota_few_rows_are_held_in_memory() -> None:
    small, large = (models(Terms(requests_per_min=limit, concurrency=64)) for limit in (120, 60_000))
    assert slices_at_once(small, CONFIG, 2) == 2
    assert slices_at_once(large, CONFIG, 2) == slices_at_once(models(Terms(concurrency=64)), CONFIG, 2)
    assert small.block_rows(CONFIG, 2) < large.block_rows(CONFIG, 2) == 256
    assert slices_at_once(large, CONFIG, 1000) < slices_at_once(large, CONFIG, 2)


def test_a_gpu_has_decoders_and_blocks_enough_to_be_kept_busy() -> None:
    embedder = replace(FakeEmbedder().description, lane="gpu")
    on_gpu = Models.of(Config(), None, embedder)
    config = Config(runtime=RuntimeConfig(worker_cpus=8, worker_gpus=1))
    assert on_gpu.slice_rows(config) == 128
    assert slices_at_once(on_gpu, config, 1) == 9
    assert blocks_at_once(on_gpu, config, 1) * 256 >= 9 * 128 + 256
