"""Local files: nothing but regular ones, never more than the limit."""

from __future__ import annotations

import os
import stat
from urllib.parse import unquote_to_bytes, urlsplit

from tuku.errors import RowError
from tuku.fetching.protocol import Fetched
from tuku.fetching.urls import redact

_BLOCK_BYTES = 65_536


def read_file(uri: str, max_bytes: int) -> Fetched | RowError:
    """The file behind a path or a ``file:`` URI.

    Read in the caller's thread: from the page cache a file takes about as long as handing it to another thread.

    Args:
        uri: a path as it is, or ``file:///path`` with percent escapes.
        max_bytes: a larger file is refused without being read.
    """
    try:
        content = _read(_path(uri), max_bytes)
    except RowError as error:
        return error
    except (FileNotFoundError, NotADirectoryError):
        return RowError("not_found", f"{redact(uri)} does not exist.")
    except PermissionError:
        return RowError("permission_denied", f"{redact(uri)} may not be read by this user.")
    except OSError as error:
        return RowError("read_failed", f"{redact(uri)}: {error.strerror or type(error).__name__}.")
    except ValueError:
        return RowError("bad_url", f"{redact(uri)} cannot be the name of a file.")
    return Fetched(content) if content else RowError("empty", f"{redact(uri)} has no content.")


def _path(uri: str) -> str | bytes:
    if uri[:5].lower() != "file:":
        return uri
    parts = urlsplit(uri)
    if parts.netloc.lower() not in {"", "localhost"} or parts.query or parts.fragment:
        raise ValueError("a file URI of this machine looks like file:///folder/picture.jpg")
    return unquote_to_bytes(parts.path)


def _read(path: str | bytes, max_bytes: int) -> bytes:
    # Looked at before it is opened, since opening a device can do something to it, and again afterwards, since
    # another file may have taken its place; O_NONBLOCK so that not even then a FIFO is waited for.
    _require_regular(path, os.stat(path))  # noqa: PTH116  # also for bytes, which Path refuses
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        _require_regular(path, found)
        if found.st_size > max_bytes:
            raise _too_large(path, max_bytes)
        blocks, size, wanted = [], 0, found.st_size + 1
        while block := os.read(descriptor, wanted):
            blocks.append(block)
            size, wanted = size + len(block), _BLOCK_BYTES
            if size > max_bytes:  # it grew, or the file system could not say how large it is
                raise _too_large(path, max_bytes)
    finally:
        os.close(descriptor)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _too_large(path: str | bytes, max_bytes: int) -> RowError:
    return RowError("too_large", f"{redact(os.fsdecode(path))} has more than {max_bytes:,} bytes (fetch.max_bytes).")


def _require_regular(path: str | bytes, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise RowError("not_a_file", f"{redact(os.fsdecode(path))} is a folder, device or pipe.")
