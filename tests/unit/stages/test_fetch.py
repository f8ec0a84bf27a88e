from __future__ import annotations

import hashlib

import pyarrow as pa

from tuku.errors import RowError
from tuku.fetching import Fetched
from tuku.schemas import FETCHED, ROWS
from tuku.stages.fetch import fetch_batch


class DictFetcher:
    """Has the files in memory, and remembers what it was asked for."""

    def __init__(self, files):
        self.files = files
        self.asked = []

    def fetch(self, uris):
        self.asked += uris
        return [Fetched(self.files[u]) if u in self.files else RowError("http_503", u, True, 3) for u in uris]


def rows(*rows):
    return pa.table({f.name: [row.get(f.name) for row in rows] for f in ROWS}, schema=ROWS)


def test_bytes_and_digest_are_added_and_failures_are_data():
    fetcher = DictFetcher({"/a": b"one", "http://h/b": b"two"})
    batch = rows(
        {"image_id": "1", "uri": "/a", "manifest_uri": "/m.csv"},
        {"image_id": "2", "uri": "http://h/none", "manifest_uri": "/m.csv"},
        {"image_id": "3", "uri": None, "stage": "manifest", "code": "missing_uri"},
        {"image_id": "4", "uri": "http://h/b", "manifest_uri": "https://h/m.csv"},
    )
    fetched = fetch_batch(batch, fetcher)
    assert fetched.schema == FETCHED
    assert fetched["content"].to_pylist() == [b"one", None, None, b"two"]
    digest = fetched["content_sha256"].to_pylist()
    assert digest == [hashlib.sha256(b"one").hexdigest(), None, None, hashlib.sha256(b"two").hexdigest()]
    assert fetched["code"].to_pylist() == [None, "http_503", "missing_uri", None]
    assert fetched["stage"].to_pylist() == [None, "fetch", "manifest", None]
    assert fetched["attempts"].to_pylist() == [None, 3, None, None]
    assert fetched["retryable"].to_pylist() == [None, True, None, None]
    assert fetcher.asked == ["/a", "http://h/none", "http://h/b"]


def test_a_remote_manifest_cannot_name_local_files():
    fetcher = DictFetcher({"/etc/passwd": b"secret", "file:///etc/passwd": b"secret"})
    batch = rows(*({"uri": uri, "manifest_uri": "http://h/m.csv"} for uri in fetcher.files))
    fetched = fetch_batch(batch, fetcher)
    assert fetched["code"].to_pylist() == ["blocked_local_file"] * 2
    assert fetcher.asked == []


def test_no_rows():
    assert fetch_batch(ROWS.empty_table(), DictFetcher({})).schema == FETCHED
