"""Filling a collection: batches sent by upsert or insert, flush."""

from __future__ import annotations

import threading
from collections import deque
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tuku.milvus import collection
from tuku.milvus.calls import PATIENCE, milvus_errors, retried
from tuku.milvus.fields import ID
from tuku.milvus.filters import ids_in
from tuku.milvus.rows import milvus_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from pymilvus import MilvusClient

    from tuku.milvus.fields import Layout
    from tuku.retry import RetryPolicy

# A server refuses messages above 64 MB; rows differ in size, so a request aims well below.
REQUEST_BYTES = 16 * 1024 * 1024
REQUEST_TIMEOUT_S = 60.0
DELETE_ROWS = 1000  # their ids, of at most 512 bytes, become one filter expression
GRACE_S = 10.0
"""So long requests under way are waited for when a load ends early: a server that hangs would keep it for minutes."""

_Request = tuple[int, "Callable[[Callable[[], bool]], None]"]
"""How many rows, and what sends them, with what says that nothing is to be sent again."""


def upsert(
    client: MilvusClient,
    name: str,
    batches: Iterable[pa.Table],
    batch_rows: int,
    *,
    fresh: bool = False,
    parallel: int = 1,
    policy: RetryPolicy | None = None,
    sent: Callable[[int], None] | None = None,
) -> int:
    """Streams lake rows into a collection; of rows with one id in a batch the last wins.

    Args:
        client: an open client.
        name: a collection with tuku's schema.
        batches: tables in `schemas.IMAGES`, of any number of rows.
        batch_rows: rows in one request, fewer where they would weigh more than about 16 MB.
        fresh: the collection is empty and every id comes once: rows are inserted, which is cheaper. A request
            that is sent again (by tuku) is an upsert all the same.
        parallel: requests under way at once. Of rows with one id in different batches any one wins, if it is over 1.
        policy: how a request that failed for the moment is sent again.
        sent: told the number of rows so far, after each request.

    Returns:
        How many rows were sent, doubles within a batch not counted.

    Raises:
        VectorSpaceError: vectors of another length.
        ConfigError: an id that the key field cannot hold, or a missing vector.
        MilvusError: Milvus refused, or failed for longer than the policy lasts.
    """
    layout = collection.layout(client, name)
    send = partial(_send, client, name, fresh=fresh, policy=policy or PATIENCE)
    requests = ((len(rows), partial(send, rows)) for rows in _each_once(regrouped(batches, batch_rows), layout))
    return _send_all(requests, parallel, sent)


def delete(
    client: MilvusClient,
    name: str,
    ids: Iterable[pa.Array],
    *,
    parallel: int = 1,
    policy: RetryPolicy | None = None,
) -> int:
    """Take images out of a collection; ids that it does not hold are passed over.

    Args:
        client: an open client.
        name: a collection with tuku's schema.
        ids: of the images, some at a time.
        parallel: requests under way at once.
        policy: how a request that failed for the moment is sent again.

    Returns:
        How many ids were sent.

    Raises:
        MilvusError: Milvus refused, or failed for longer than the policy lasts.
    """

    def requests() -> Iterator[_Request]:
        for some in ids:
            for start in range(0, len(some), DELETE_ROWS):
                wanted = some.slice(start, DELETE_ROWS).to_pylist()
                yield len(wanted), partial(_delete, client, name, wanted, policy or PATIENCE)

    return _send_all(requests(), parallel)


def flush(client: MilvusClient, name: str, timeout_s: float) -> None:
    """Seals what was sent, so that it is on disk and gets indexed."""
    with milvus_errors(f"flushing collection {name}"):
        client.flush(name, timeout=timeout_s)


def regrouped(batches: Iterable[pa.Table], batch_rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `batch_rows`, or fewer where they would weigh more than one request may."""
    waiting: list[pa.Table] = []
    rows = weight = 0
    for batch in batches:
        waiting.append(batch)
        rows, weight = rows + batch.num_rows, weight + batch.nbytes
        while rows and (rows >= batch_rows or weight >= REQUEST_BYTES):
            table = pa.concat_tables(waiting)
            size = min(batch_rows, max(1, rows * REQUEST_BYTES // max(weight, 1)))
            yield table.slice(0, size)
            rest = table.slice(size)
            waiting, rows, weight = [rest], rest.num_rows, rest.nbytes
    if rows:
        yield pa.concat_tables(waiting)


def _each_once(tables: Iterable[pa.Table], layout: Layout) -> Iterator[list[dict[str, Any]]]:
    """The rows of each table as Milvus takes them; of those with one id the last."""
    for table in tables:
        yield list({row[ID]: row for row in milvus_rows(table, layout)}.values())


def _send_all(requests: Iterator[_Request], parallel: int, sent: Callable[[int], None] | None = None) -> int:
    """Send requests, so many at once, and return how many rows they were of; the first that fails ends it.

    So does an interrupt, within `GRACE_S`.
    """
    done = 0
    under_way: deque[tuple[int, Future[None]]] = deque()

    def wait(most: int) -> None:
        nonlocal done
        while len(under_way) > most:
            rows, answer = under_way[0]
            answer.result()
            under_way.popleft()
            done += rows
            if sent:
                sent(done)

    ended = threading.Event()
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="tuku-milvus")
    try:
        for rows, request in requests:
            under_way.append((rows, pool.submit(request, ended.is_set)))
            wait(parallel - 1)
        wait(0)
    except BaseException:
        ended.set()
        pool.shutdown(wait=False, cancel_futures=True)
        futures.wait([answer for _, answer in under_way], GRACE_S)  # those that take longer end with the client
        raise
    pool.shutdown()
    return done


def _send(
    client: MilvusClient,
    name: str,
    rows: Sequence[dict[str, Any]],
    ended: Callable[[], bool],
    *,
    fresh: bool,
    policy: RetryPolicy,
) -> None:
    def request(attempt: int) -> None:
        # The first attempt may have arrived although its answer did not: insert does not look for doubles.
        write = client.insert if fresh and attempt == 1 else client.upsert
        write(name, rows, timeout=REQUEST_TIMEOUT_S)

    with milvus_errors(f"writing {len(rows)} rows to collection {name}"):
        retried(request, policy, ended)


def _delete(
    client: MilvusClient, name: str, ids: Sequence[str], policy: RetryPolicy, ended: Callable[[], bool]
) -> None:
    def request(_attempt: int) -> None:
        client.delete(name, filter=ids_in(ids), timeout=REQUEST_TIMEOUT_S)

    with milvus_errors(f"deleting {len(ids)} rows from collection {name}"):
        retried(request, policy, ended)
