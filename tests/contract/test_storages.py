"""What a lake needs of the place where it is kept, wherever that is: a disk, or a bucket of a real S3 server."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import obstore
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from obstore.exceptions import GenericError

from fakes.tables import image_rows
from s3_server import S3Server, s3_server
from tuku.errors import LeaseLostError, StoppedError, StorageError
from tuku.journal import AnswerJournal, read_journals
from tuku.lake import Lake
from tuku.lake_view import LakeView
from tuku.lease import LEASE, holder_in
from tuku.lease_watch import LeaseTimes
from tuku.part_files import footer_rows, read_rows
from tuku.run import Run
from tuku.schemas import DEAD_LETTERS
from tuku.spill import Spill, spilled
from tuku.storage import Storage, storage_at

FAST = LeaseTimes(beat_s=0.05, lost_after_s=0.6, dead_after_s=1.0, look_s=0.01)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with s3_server(tmp_path_factory.mktemp("s3") / "server") as server, server.used():
        yield server


@pytest.fixture(params=["disk", "bucket"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "disk":
        return str(tmp_path / "lake")
    server: S3Server = request.getfixturevalue("s3")
    return server.uri(f"{tmp_path.name}/lake")


@pytest.fixture
def storage(uri: str) -> Storage:
    return storage_at(uri)


def names(storage: Storage, folder: str = "") -> list[str]:
    return sorted(stored.name for stored in storage.walk(folder) if stored.name != ".lock")


def all_at_once(works: list[Callable[[], Any]]) -> list[Any]:
    """What each of these returns, when they begin together."""
    results: dict[int, Any] = {}
    barrier = threading.Barrier(len(works))

    def run(number: int) -> None:
        barrier.wait(30)
        results[number] = works[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(works))]


def test_it_is_prepared_and_nothing_is_left_of_that(storage: Storage, uri: str) -> None:
    storage.prepare()
    assert names(storage) == []
    assert storage.uri == uri
    assert storage.where("a/b") == f"{uri}/a/b"
    assert pickle.loads(pickle.dumps(storage)) == storage


def test_what_was_written_is_read(storage: Storage) -> None:
    storage.write("a/b.bin", b"old")
    storage.write("a/b.bin", b"whole")
    assert (storage.read("a/b.bin"), storage.find("a/b.bin"), storage.size("a/b.bin")) == (b"whole", b"whole", 5)
    assert storage.find("a/c.bin") is None
    with pytest.raises(StorageError, match="no such file"):
        storage.read("a/c.bin")


def test_a_file_is_there_when_it_is_whole_and_not_before(storage: Storage) -> None:
    with storage.atomic("a/b.bin") as file:
        file.write(b"12345")
        assert file.tell() == 5
        assert storage.files("a") == []
    assert storage.files("a") == ["a/b.bin"]


def test_an_error_while_writing_leaves_what_was_there(storage: Storage) -> None:
    def broken(name: str) -> NoReturn:
        with storage.atomic(name) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    storage.write("a.txt", b"old")
    for name in ("a.txt", "b.txt"):
        with pytest.raises(KeyboardInterrupt):
            broken(name)
    assert names(storage) == ["a.txt"]
    assert storage.read("a.txt") == b"old"


def test_a_file_that_is_larger_than_one_request_takes(storage: Storage) -> None:
    content = bytes(range(256)) * 60_000
    with storage.atomic("big") as file:
        for start in range(0, len(content), 1_000_000):
            file.write(content[start : start + 1_000_000])
    assert storage.size("big") == len(content)
    assert storage.read("big") == content


def test_folders_and_what_is_in_them(storage: Storage) -> None:
    for name in ("b.parquet", "a.parquet", "note.txt", ".tmp-0.parquet", "deeper/c.parquet", "deeper/d/e.parquet"):
        storage.write(f"parts/{name}", b"12")
    assert storage.files("parts", ".parquet") == ["parts/a.parquet", "parts/b.parquet"]
    assert storage.folders("parts") == ["deeper"]
    assert (storage.files("absent"), storage.folders("absent"), names(storage, "absent")) == ([], [], [])
    assert (storage.folders(""), storage.files("part")) == (["parts"], [])
    assert [storage.exists(name) for name in ("parts", "parts/a.parquet", "part", "parts/deeper/d")] == [1, 1, 0, 1]
    assert len(names(storage)) == len(names(storage, "parts")) == 6
    assert max(stored.name for stored in storage.walk("parts", depth=2)) == "parts/note.txt"
    assert len(list(storage.walk("parts", depth=1))) == 4
    assert {stored.size for stored in storage.walk()} == {2}
    assert [stored.name for stored in storage.walk("parts", depth=1) if stored.unfinished] == ["parts/.tmp-0.parquet"]


def test_removing_what_is_there_and_what_is_not(storage: Storage) -> None:
    for name in ("a/1", "a/b/2", "c/3"):
        storage.write(name, b"")
    storage.remove("c/3")
    storage.remove("c/3")
    storage.remove_all("a")
    storage.remove_all("a")
    storage.remove_empty("c")
    assert names(storage) == []
    assert not storage.exists("c")


def test_of_many_that_create_a_file_one_does(storage: Storage) -> None:
    assert storage.create("a.txt", b"first")
    assert not storage.create("a.txt", b"second")
    for number in range(5):
        contents = [f"by {i}".encode() for i in range(8)]
        made = all_at_once([partial(storage.create, str(number), content) for content in contents])
        assert sum(made) == 1
        assert storage.read(str(number)) == contents[made.index(True)]


def test_of_many_that_swap_a_file_one_does(storage: Storage) -> None:
    assert not storage.swap("a.txt", b"new", expected=b"")
    assert storage.find("a.txt") is None
    storage.write("a.txt", b"0")
    assert not storage.swap("a.txt", b"new", expected=b"other")
    now = b"0"
    for number in range(1, 6):
        contents = [f"{number} by {i}".encode() for i in range(8)]
        made = all_at_once([partial(storage.swap, "a.txt", content, expected=now) for content in contents])
        assert sum(made) == 1
        now = contents[made.index(True)]
        assert storage.read("a.txt") == now


def test_a_file_that_grows(storage: Storage) -> None:
    file = storage.growing("paid/journal")
    file.append(b"one")
    file.sync()
    assert storage.read("paid/journal") == b"one"
    file.append(b"two")
    file.sync()
    assert (storage.read("paid/journal"), file.size) == (b"onetwo", 6)
    file.remove()
    assert names(storage) == []


def test_parquet_is_read_column_by_column_and_what_is_damaged_is_named(storage: Storage) -> None:
    rows = pa.table({"a": list(range(10_000)), "b": [str(i) for i in range(10_000)]})
    with storage.atomic("run/parts/x.parquet") as file:
        pq.write_table(rows, file, row_group_size=1_000)
    assert pa.concat_tables(read_rows(storage, "run/parts/x.parquet", ["b"])) == rows.select(["b"])
    assert footer_rows(storage, "run/parts/x.parquet") == 10_000
    storage.write("run/parts/bad.parquet", b"not Parquet")
    for name in ("bad", "absent"):
        with pytest.raises(StorageError, match=f"{name}.parquet cannot be read") as error:
            list(read_rows(storage, f"run/parts/{name}.parquet"))
        assert storage.where("run") in error.value.remedy


def test_what_is_set_aside_is_found_again(storage: Storage) -> None:
    schema = pa.schema([("n", pa.int64())])
    below = storage.below("scratch")
    with Spill(below, "work", schema) as spill:
        spill.add(pa.table({"n": [1, 2, 3]}, schema), pa.array([0, 1, 0]).to_numpy())
    assert [row["n"] for table in spilled(below, "work", 0) for row in table.to_pylist()] == [1, 3]
    assert storage.folders("scratch") == ["work"]


def test_a_journal_is_there_after_a_flush_and_goes_when_its_blocks_have_ended(storage: Storage) -> None:
    run = Run(storage, "r-1")
    journal = AnswerJournal(run, "w", pytest.fail, flush_interval_s=3_600, file_bytes=1)
    answer = {"content_sha256": "00" * 32, "caption": "A cat", "keywords": [], "caption_fingerprint": "f"}
    with journal.block():
        for number in range(3):
            journal.append({**answer, "caption": f"Cat {number}"})
            journal.flush()
        found = [row["caption"] for table in read_journals(run) for row in table.to_pylist()]
        assert found == ["Cat 0", "Cat 1", "Cat 2"]
    journal.close()
    assert list(read_journals(run)) == []


def test_one_run_at_a_time_and_the_next_one_begins_where_it_ended(uri: str) -> None:
    lake = Lake.at(uri)
    with lake.exclusive(command="tuku ingest") as lease:
        run, _ = lake.begin()
        run.write_block("a", image_rows({"image_id": "x"}), DEAD_LETTERS.empty_table())
        with pytest.raises(StorageError, match="Another run works on the lake"), lake.exclusive():
            pytest.fail("two at once")
        lease.require()
        run.commit()
    assert holder_in(lake.storage) is None
    with lake.exclusive():
        assert LakeView.everything(lake).rows() == 1


def test_whoever_was_taken_over_can_no_longer_commit(uri: str) -> None:
    lake = Lake.at(uri)
    with lake.exclusive(command="sleeper", times=LeaseTimes(beat_s=3_600)) as lease:
        run, _ = lake.begin()
        run.write_block("a", image_rows({"image_id": "x"}), DEAD_LETTERS.empty_table())
        run.write_deleted("all", ["y"])
        holder = holder_in(lake.storage)
        assert holder is not None
        # Its machine is unknown to the others: they see only that nothing moves.
        lake.storage.write(LEASE, holder.to_json().replace(b'"machine": "', b'"machine": "elsewhere '))
        with lake.exclusive(command="next", wait_s=20, times=FAST):
            _, interrupted = lake.begin()
            assert interrupted == [run.run_id]
        with pytest.raises(LeaseLostError):
            lease.require()
        with pytest.raises(LeaseLostError, match="taken"):
            Run(lake.storage, run.run_id).commit()
    sealed = lake.committed_runs()[-1]
    assert (sealed.run_id, sealed.rows("parts"), sealed.deleted()) == (run.run_id, 1, [])


@pytest.mark.usefixtures("s3")
class TestABucketThatCannotBeUsed:
    """Every failure says what to do, and none says a secret."""

    def refused(self, uri: str, error: type[StorageError | StoppedError], says: str) -> None:
        for use in (lambda storage: storage.write("a", b"1"), lambda storage: storage.find("a")):
            with pytest.raises(error) as refused:
                use(storage_at(uri))
            assert says in str(refused.value)
            assert "secret" not in str(refused.value).lower().replace("aws_secret_access_key", "")

    def test_wrong_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
        self.refused("s3://bucket/wrong", StorageError, "AWS_SECRET_ACCESS_KEY")

    def test_nobody_there_any_more_in_the_middle_of_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        storage = storage_at("s3://bucket/middle")
        with storage.atomic("run/parts/x.parquet") as file:
            pq.write_table(pa.table({"a": [1]}), file)

        def fails(*_: Any, **__: Any) -> NoReturn:
            raise GenericError("Generic S3 error: error sending request")

        monkeypatch.setattr(obstore, "get", fails)
        with pytest.raises(StoppedError, match="could not be reached"):
            list(read_rows(storage, "run/parts/x.parquet"))

    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        self.refused("s3://bucket/dead", StoppedError, "AWS_ENDPOINT_URL")

    @pytest.mark.parametrize("uri", ["s3://", "s3://key:a-secret@bucket/lake", "s3://bucket/lake?x=1"])
    def test_an_address_that_is_none(self, uri: str) -> None:
        with pytest.raises(StorageError, match="not of the form s3://bucket/prefix") as error:
            storage_at(uri)
        assert "a-secret" not in str(error.value)
