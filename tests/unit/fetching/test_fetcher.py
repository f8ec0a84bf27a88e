from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tuku.config import FetchConfig
from tuku.errors import ConfigError, ManifestError
from tuku.fetching import Fetcher, GuardedFetcher, open_stream


def fetch_threads() -> int:
    return sum(thread.name == "fetch" for thread in threading.enumerate())


def test_outcomes_are_in_order_and_nothing_is_fetched_twice(fetcher_of, server, folder):
    url = f"{server.url}/a.jpg"
    uris = [url, "ftp://host/a.jpg", str(folder / "a.jpg"), f"{server.url}/none.jpg", url, str(folder / "none")]
    outcomes = fetcher_of().fetch(uris)
    assert [getattr(outcome, "code", "ok") for outcome in outcomes] == [
        "ok", "unsupported_scheme", "ok", "http_404", "ok", "not_found",
    ]  # fmt: skip
    assert server.hits["/a.jpg"] == 1
    assert fetcher_of().fetch([]) == []


def test_schemes_can_be_forbidden(fetcher_of, server, folder):
    local, remote = fetcher_of(schemes=("https",)).fetch([str(folder / "a.jpg"), f"{server.url}/a.jpg"])
    assert (local.code, remote.code) == ("blocked_scheme", "blocked_scheme")


def test_many_threads_share_one_session(fetcher_of, server):
    fetcher = fetcher_of(concurrency=4)
    batches = [[f"{server.url}/a.jpg?{thread}-{i}" for i in range(20)] for thread in range(6)]
    with ThreadPoolExecutor(6) as pool:
        outcomes = [outcome for batch in pool.map(fetcher.fetch, batches) for outcome in batch]
    assert [outcome.content for outcome in outcomes] == [b"first"] * 120
    assert fetch_threads() == 1


def test_closing_ends_the_thread_and_local_files_need_none(server, folder):
    fetcher = GuardedFetcher(FetchConfig(allow_private_networks=True))
    assert isinstance(fetcher, Fetcher)
    with fetcher:
        fetcher.fetch([str(folder / "a.jpg")])
        assert fetch_threads() == 0
        fetcher.fetch([f"{server.url}/a.jpg"])
        assert fetch_threads() == 1
    assert fetch_threads() == 0
    fetcher.close()
    assert fetcher.fetch([f"{server.url}/a.jpg"])[0].content == b"first"
    fetcher.close()


def test_a_wrong_entry_fails_before_work_starts():
    with pytest.raises(ConfigError, match=r"fetch\.allowed_hosts"):
        GuardedFetcher(FetchConfig(allowed_hosts=("a b",)))


def test_a_remote_manifest_is_opened_with_limits_of_its_own(server):
    config = FetchConfig(allow_private_networks=True, max_bytes=10)
    with open_stream(config)(f"{server.url}/-/flaky/2/large.jpg") as stream:
        assert stream.read() == bytes(2_000)
        stream.seek(0)
        with io.TextIOWrapper(stream, "latin-1") as text:
            assert len(text.read()) == 2_000
    assert fetch_threads() == 0


@pytest.mark.parametrize(
    ("uri", "options", "said"),
    [
        ("/none.csv?token=hush", {}, "http_404"),
        ("/large.jpg", {"max_bytes": 1_999}, "too_large"),
        ("/-/drip", {"timeout_s": 0.1}, "timeout"),
        ("ftp://host/a.csv", {}, "Only http"),
        ("/etc/passwd", {}, "Only http"),
    ],
)
def test_a_manifest_that_cannot_be_downloaded(server, uri, options, said):
    url = uri if uri.startswith(("ftp", "/etc")) else f"{server.url}{uri}"
    with pytest.raises(ManifestError, match=said) as caught:
        open_stream(FetchConfig(allow_private_networks=True), **options)(url)
    assert "hush" not in str(caught.value)


def test_a_manifest_on_a_private_network_is_blocked(server):
    with pytest.raises(ManifestError, match="blocked_address"):
        open_stream(FetchConfig())(f"{server.url}/a.csv")


def test_a_full_disk_is_no_fault_of_the_network(server, monkeypatch):
    class FullFile(io.BytesIO):
        def write(self, block):
            raise OSError(28, "No space left on device")

    file = FullFile()
    monkeypatch.setattr("tuku.fetching.manifests.tempfile.TemporaryFile", lambda: file)
    with pytest.raises(ManifestError, match="No space left on device") as caught:
        open_stream(FetchConfig(allow_private_networks=True))(f"{server.url}/a.jpg")
    assert "TMPDIR" in caught.value.remedy
    assert server.hits == {"/a.jpg": 1}
    assert file.closed
