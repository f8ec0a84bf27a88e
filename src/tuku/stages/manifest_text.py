"""Lines of a text manifest, decoded strictly, and the error that says where reading them ended."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

from tuku.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed import WriteableBuffer

    from tuku.stages.manifest_source import ManifestSource

MAX_LINE_CHARS = 16 * 1024 * 1024  # keeps a file without line ends out of memory: it is read in such pieces

READ_AHEAD_BYTES = 8_000_000
"""Text is read in blocks of so many bytes from a store that is asked anew for each."""

# Stands for bytes that are no text: no decoder gives a lone surrogate for good bytes. Unlike with
# errors="strict", the lines before it are still delivered, so that the row can be named.
_UNDECODABLE = "\udfff"
_HANDLER = "tuku.manifest"
codecs.register_error(_HANDLER, lambda error: (_UNDECODABLE, _end(error)))


def _end(error: UnicodeError) -> int:
    if isinstance(error, UnicodeDecodeError):
        return error.end
    raise error


class UndecodableLineError(ValueError):
    """A line has bytes that are no text in the manifest's encoding."""


UNREADABLE = (UndecodableLineError, UnicodeError, OSError, EOFError, zlib.error)
"""What reading lines may raise: wrong bytes, a broken disk or connection, a broken gzip."""


class Lines:
    """The lines of a manifest with their ends as they are; a byte order mark is left out.

    Attributes:
        current: the line that was last given out.
    """

    def __init__(self, binary: BinaryIO, encoding: str) -> None:
        self._text = io.TextIOWrapper(binary, encoding=encoding, errors=_HANDLER, newline="")
        self.current = ""

    def __iter__(self) -> Iterator[str]:
        readline = self._text.readline
        line = readline(MAX_LINE_CHARS).removeprefix("\ufeff")
        while line:
            if _UNDECODABLE in line:
                raise UndecodableLineError
            self.current = line
            yield line
            line = readline(MAX_LINE_CHARS)


class ReadAhead(io.RawIOBase):
    """A file that is read in large blocks, however little is wanted at a time.

    Unlike with `io.BufferedReader`, that holds for `TextIOWrapper` too: its `read1` goes past the buffer.

    Args:
        raw: is closed along with this.
    """

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """See `io.RawIOBase`."""
        if not self._block:
            self._block = memoryview(self._raw.read(READ_AHEAD_BYTES) or b"")
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._block))
        target[:size], self._block = self._block[:size], self._block[size:]
        return size

    def close(self) -> None:
        """See `io.IOBase`."""
        try:
            super().close()
        finally:
            self._raw.close()


def read_error(source: ManifestSource, error: BaseException, row: int) -> ManifestError:
    """The job's error for one of `UNREADABLE`.

    Args:
        source: the manifest.
        error: what was raised.
        row: number of the row that was being read; 0 is the header.
    """
    where = f"row {row}" if row else "the header"
    if isinstance(error, (UndecodableLineError, UnicodeError)):
        return ManifestError(
            f"The manifest {source.uri} is not {source.encoding} text: {where} cannot be decoded.",
            "Name its encoding, such as `--set manifest.encoding=gb18030` (or utf-16, big5, latin-1).",
        )
    if isinstance(error, (EOFError, zlib.error, gzip.BadGzipFile)):
        what = "is cut off" if isinstance(error, EOFError) else "is not a whole gzip file"
        return ManifestError(
            f"The manifest {source.uri} {what}: reading ended at {where}.", "Copy or compress it again."
        )
    return ManifestError(f"Reading the manifest {source.uri} failed at {where}: {type(error).__name__}.", "Try again.")
