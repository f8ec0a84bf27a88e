"""The body of an HTTP answer, read within a limit that holds for what is sent and for what it unpacks to."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import aiohttp

from tuku.errors import RowError
from tuku.fetching.urls import redact

# zlib's manual, inflateInit2: 15 for the largest window, plus 32 to tell gzip from zlib by the header.
_GZIP_OR_ZLIB = 15 + 32


async def read_body(response: aiohttp.ClientResponse, max_bytes: int, write: Callable[[bytes], object]) -> None:
    """Hand the body on, block by block.

    Plain content was asked for. A server that sends it compressed all the same (some stores keep it so) is
    understood, but a small body may unpack to a thousand times its size: it is unpacked no further than the limit.

    Args:
        response: its body has not been read; the session does not unpack by itself.
        max_bytes: limit for the body as sent and as unpacked.
        write: is called with each block.

    Raises:
        RowError: ``too_large``, ``unsupported_encoding`` or ``incomplete_download``.
    """
    if (response.content_length or 0) > max_bytes:
        raise _too_large(response, max_bytes)
    unpacker = _unpacker(response)
    received = unpacked = 0
    async for block in response.content.iter_any():
        received += len(block)
        content = _unpack(unpacker, block, max_bytes - unpacked + 1, response) if unpacker else block
        unpacked += len(content)
        if max(received, unpacked) > max_bytes:
            raise _too_large(response, max_bytes)
        write(content)
    if unpacker and received and not unpacker.eof:
        raise RowError("incomplete_download", f"{_shown(response)}: the compressed content breaks off.", retryable=True)


def _unpacker(response: aiohttp.ClientResponse) -> zlib._Decompress | None:
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return None
    if encoding in {"gzip", "x-gzip", "deflate"}:
        return zlib.decompressobj(_GZIP_OR_ZLIB)
    message = f"{_shown(response)}: sent as '{encoding[:20]}', though plain content was asked for."
    raise RowError("unsupported_encoding", message)


def _unpack(unpacker: zlib._Decompress, block: bytes, max_bytes: int, response: aiohttp.ClientResponse) -> bytes:
    try:
        return unpacker.decompress(block, max_bytes)
    except zlib.error:
        message = f"{_shown(response)}: not compressed in the way its header says."
        raise RowError("unsupported_encoding", message) from None


def _shown(response: aiohttp.ClientResponse) -> str:
    return redact(str(response.url))


def _too_large(response: aiohttp.ClientResponse, max_bytes: int) -> RowError:
    return RowError("too_large", f"{_shown(response)} has more than {max_bytes:,} bytes.")
