from __future__ import annotations

import hashlib
from typing import Any

import pyarrow as pa
import pytest

from fakes.files import FakeFetcher
from fakes.tables import failure, work_rows
from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.fetching.protocol import Validators
from tuku.schemas import FETCHED, WORK
from tuku.stages.fetch import fetch_batch
from tuku.stages.fingerprints import served_fingerprint

URL = "http://h/a.jpg"
OLD = hashlib.sha256(b"old").hexdigest()


def recheck(source: str | None, **special: Any) -> dict[str, Any]:
    """A row that needs nothing unless its file has changed since it was `old`."""
    known = {"content_sha256": OLD}
    return {"uri": URL, "recheck": True, "known_source": source, "known": known, **special}


def served(content: bytes, etag: str | None = None, last_modified: str | None = None) -> FakeFetcher:
    return FakeFetcher({URL: Fetched(content, etag, last_modified)})


def test_bytes_and_digest_are_added_and_failures_are_data() -> None:
    unavailable = RowError("http_503", "Not now.", retryable=True, attempts=3)
    fetcher = FakeFetcher({"/a": b"one", "http://h/none": unavailable, "http://h/b": b"two"})
    batch = work_rows(
        {"uri": "/a", "source_fingerprint": "3 bytes"},
        {"uri": "http://h/none"},
        {"uri": None, **failure("manifest", RowError("missing_uri", "No URI."))},
        {"uri": "http://h/b", "manifest_uri": "https://h/m.csv"},
    )
    fetched = fetch_batch(batch, fetcher)
    assert fetched.schema == FETCHED
    assert fetched["content"].to_pylist() == [b"one", None, None, b"two"]
    digest = fetched["content_sha256"].to_pylist()
    assert digest == [hashlib.sha256(b"one").hexdigest(), None, None, hashlib.sha256(b"two").hexdigest()]
    assert fetched["source_fingerprint"].to_pylist() == ["3 bytes", None, None, served_fingerprint(None, None)]
    assert fetched["code"].to_pylist() == [None, "http_503", "missing_uri", None]
    assert fetched["stage"].to_pylist() == [None, "fetch", "manifest", None]
    assert fetched["attempts"].to_pylist() == [None, 3, 1, None]
    assert fetched["retryable"].to_pylist() == [None, True, False, None]
    assert list(fetcher.asked) == ["/a", "http://h/none", "http://h/b"]


def test_a_remote_manifest_cannot_name_local_files() -> None:
    fetcher = FakeFetcher({"/etc/passwd": b"secret", "file:///etc/passwd": b"secret"})
    batch = work_rows(*({"uri": uri, "manifest_uri": "http://h/m.csv"} for uri in fetcher.files))
    fetched = fetch_batch(batch, fetcher)
    assert fetched["code"].to_pylist() == ["blocked_local_file"] * 2
    assert fetcher.asked == {}


@pytest.mark.parametrize("scheme", ["s3", "oss", "gs"])
def test_a_manifest_from_the_web_names_only_buckets_that_are_listed(scheme: str) -> None:
    uri = f"{scheme}://bucket/a.jpg"
    fetcher = FakeFetcher({uri: b"ours"})
    batch = work_rows({"uri": uri, "manifest_uri": "https://h/m.csv"})
    assert fetch_batch(batch, fetcher)["code"].to_pylist() == ["blocked_bucket"]
    assert fetcher.asked == {}
    assert fetch_batch(batch, fetcher, buckets_listed=True)["code"].to_pylist() == [None]


@pytest.mark.parametrize("manifest", ["/m.csv", "s3://lists/m.csv", None])
def test_a_manifest_of_ours_names_any_bucket(manifest: str | None) -> None:
    uri = "gs://bucket/a.jpg"
    batch = work_rows({"uri": uri, "manifest_uri": manifest})
    assert fetch_batch(batch, FakeFetcher({uri: b"ours"}))["code"].to_pylist() == [None]


def test_an_object_is_told_by_what_came_with_it_and_not_by_an_older_listing() -> None:
    uri, listed = "s3://bucket/a.jpg", served_fingerprint('"1"', None)
    fetcher = FakeFetcher({uri: Fetched(b"new", '"2"')})
    [row] = fetch_batch(work_rows({"uri": uri, "source_fingerprint": listed}), fetcher).to_pylist()
    assert (row["content"], row["source_fingerprint"]) == (b"new", served_fingerprint('"2"', None))


def test_no_rows() -> None:
    assert fetch_batch(WORK.empty_table(), FakeFetcher()).schema == FETCHED


@pytest.mark.parametrize("said", [('"1"', None), (None, "Mon"), ('"1"', "Mon")])
def test_a_served_file_that_has_not_changed_is_not_sent(said: tuple[str | None, str | None]) -> None:
    fetcher = served(b"old", *said)
    fetched = fetch_batch(work_rows(recheck(served_fingerprint(*said))), fetcher)
    assert fetched["code"].to_pylist() == ["unchanged"]
    assert fetcher.asked == {URL: Validators(*said)}
    assert fetcher.sent == []


def test_one_whose_server_says_nothing_is_looked_at() -> None:
    fetcher = served(b"old")
    fetched = fetch_batch(work_rows(recheck(served_fingerprint(None, None))), fetcher)
    assert fetched["code"].to_pylist() == ["unchanged"]
    assert (fetcher.asked, fetcher.sent) == ({URL: None}, [URL])


def test_one_that_has_changed_goes_on() -> None:
    fetched = fetch_batch(work_rows(recheck(served_fingerprint('"1"', None))), served(b"new", '"2"'))
    [row] = fetched.to_pylist()
    assert (row["code"], row["content"], row["known_content"]) == (None, b"new", OLD)
    assert row["source_fingerprint"] == served_fingerprint('"2"', None)


def test_one_that_was_only_touched_takes_over_what_the_lake_has_of_itself() -> None:
    local = recheck("3 bytes at 1", uri="/a", source_fingerprint="3 bytes at 2")
    for row, fetcher in (
        (recheck(served_fingerprint('"1"', None)), served(b"old", '"2"')),
        (local, FakeFetcher({"/a": b"old"})),
    ):
        [found] = fetch_batch(work_rows(row), fetcher).to_pylist()
        assert (found["code"], found["content"], found["content_sha256"]) == ("same_content", None, OLD)
        assert found["source_fingerprint"] == row.get("source_fingerprint", served_fingerprint('"2"', None))


@pytest.mark.parametrize("etag", ['"1"', None])
def test_one_whose_row_has_changed_takes_it_over_too_and_is_not_sent_for_that(etag: str | None) -> None:
    source, fetcher = served_fingerprint(etag, None), served(b"old", etag)
    [found] = fetch_batch(work_rows(recheck(source, revise=True)), fetcher).to_pylist()
    assert (found["code"], found["content"], found["content_sha256"]) == ("same_content", None, OLD)
    assert found["source_fingerprint"] == source
    assert fetcher.sent == ([] if etag else [URL])


def test_who_compares_contents_does_not_take_a_servers_word() -> None:
    batch, fetcher = work_rows(recheck(served_fingerprint('"1"', None))), served(b"new", '"1"')
    assert fetch_batch(batch, fetcher)["code"].to_pylist() == ["unchanged"]
    [row] = fetch_batch(batch, fetcher, ask_servers=False).to_pylist()
    assert (row["code"], row["content"]) == (None, b"new")
    assert fetcher.asked == {URL: None}


def test_work_is_fetched_whatever_the_server_said_before() -> None:
    row = recheck(served_fingerprint('"1"', None), recheck=False)
    [found] = fetch_batch(work_rows(row), served(b"old", '"1"')).to_pylist()
    assert (found["code"], found["content"], found["known_content"]) == (None, b"old", OLD)


@pytest.mark.parametrize("other", [{"uri": URL}, recheck(served_fingerprint('"0"', None))], ids=["new", "older"])
@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_another_row_needs_is_sent_to_both(other: dict[str, Any], first: bool) -> None:
    unchanged = recheck(served_fingerprint('"1"', None))
    fetched = fetch_batch(work_rows(*([other, unchanged] if first else [unchanged, other])), served(b"old", '"1"'))
    codes = fetched["code"].to_pylist()
    assert codes[first] == "unchanged"
    assert codes[not first] == (None if "recheck" not in other else "same_content")
    assert fetched["content_sha256"].to_pylist()[not first] == OLD


def test_a_file_that_is_gone_fails() -> None:
    fetched = fetch_batch(work_rows(recheck(served_fingerprint('"1"', None))), FakeFetcher())
    assert fetched["code"].to_pylist() == ["not_found"]


def test_a_header_that_is_no_text_is_no_harm() -> None:
    fetched = fetch_batch(work_rows({"uri": URL}), served(b"new", '"\udcff"'))
    assert fetched["code"].to_pylist() == [None]
    again = recheck(fetched["source_fingerprint"][0].as_py())
    assert fetch_batch(work_rows(again), served(b"old", '"\udcff"'))["code"].to_pylist() == ["unchanged"]


def test_what_is_known_is_kept_out_of_the_batch() -> None:
    assert set(fetch_batch(work_rows({}), FakeFetcher()).column_names) & {"known", "recheck", "known_source"} == set()
    assert pa.types.is_struct(WORK.field("known").type)
