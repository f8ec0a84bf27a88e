"""The body of an HTTP answer, read within a limit that holds for what is sent and for what it unpacks to."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import aiohttp

from tuku.errors import RowError

# zlib's manual, inflateInit2: 15 for the largest window, plus 32 to tell gzip from zlib by the header.
_GZIP_OR_ZLIB = 15 + 32


async def read_body(
    response: aiohttp.ClientResponse, shown: str, max_bytes: int, write: Callable[[bytes], object]
) -> None:
    """Hand the body on, block by block.

    Plain content was asked for. A server that sends it compressed all the same (some stores keep it so) is
    understood, but a small body may unpack to a thousand times its size: it is unpacked no further than the limit.

    Args:
        response: its body has not been read; the session does not unpack by itself.
        shown: the redacted URL, for messages.
        max_bytes: limit for the body as sent and as unpacked.
        write: is called with each block.

    Raises:
        RowError: ``too_large``, ``unsupported_encoding`` or ``incomplete_download``.
    """
    if (response.content_length or 0) > max_bytes:
        raise _too_large(shown, max_bytes)
    unpacker = _unpacker(response, shown)
    received = unpacked = 0
    async for block in response.content.iter_any():
        received += len(block)
        content = _unpack(unpacker, block, max_bytes - unpacked + 1, shown) if unpacker else block
        unpacked += len(content)
        if max(received, unpacked) > max_bytes:
            raise _too_large(shown, max_bytes)
        write(content)
    if unpacker and received and not unpacker.eof:
        raise RowError("incomplete_download", f"{shown}: the compressed content breaks off.", retryable=True)


def _unpacker(response: aiohttp.ClientResponse, shown: str) -> zlib._Decompress | None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(_GZIP_OR_ZLIB)
    raise RowError("unsupported_encoding", f"{shown}: sent as '{encoding[:20]}', though plain content was asked for.")


def _unpack(unpacker: zlib._Decompress, block: bytes, max_bytes: int, shown: str) -> bytes:
    try:
        return unpacker.decompress(block, max_bytes)
    except zlib.error:
        raise RowError("unsupported_encoding", f"{shown}: not compressed in the way its header says.") from None


def _too_large(shown: str, max_bytes: int) -> RowError:
    return RowError("too_large", f"{shown} has more than {max_bytes:,} bytes.")
