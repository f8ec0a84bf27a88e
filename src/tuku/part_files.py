"""Reading the Parquet files of a lake: streamed, and a damaged file is named."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tuku.errors import StorageError
from tuku.storage import Storage


def read_rows(storage: Storage, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Stream a part file in tables of bounded size.

    Raises:
        StorageError: the file is damaged or missing; it names the file.
    """
    try:
        with pq.ParquetFile(storage.source(name)) as file:
            for batch in file.iter_batches(batch_size=4096, columns=columns):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise _damaged(storage, name, error) from error


def footer_rows(storage: Storage, name: str) -> int:
    """Rows of a file, from its footer. What a committed run has, `Run.rows` knows without reading any.

    Raises:
        StorageError: the file is damaged or missing; it names the file.
    """
    try:
        rows: int = pq.read_metadata(storage.source(name)).num_rows
    except (OSError, pa.ArrowException) as error:
        raise _damaged(storage, name, error) from error
    return rows


def _damaged(storage: Storage, name: str, error: Exception) -> StorageError:
    # A committed run's files are all of it or it is none: deleting one file alone would not help.
    folder = storage.where(name).rsplit("/", 2)[0]
    return StorageError(
        f"The lake's file {storage.where(name)} cannot be read: {error}.",
        f"Put it back from a backup. Without one, delete its whole run, {folder}: the next run makes those rows anew,"
        " and pays for them again.",
    )
