"""Where a manifest lies and in which format: everything that can be known before its first row is read."""

from __future__ import annotations

import difflib
import glob
import gzip
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from tuku.errors import ManifestError
from tuku.stages.manifest_text import ReadAhead
from tuku.uris import STORES, bare

if TYPE_CHECKING:
    from tuku.config import ManifestConfig
    from tuku.fetching.protocol import Listed

Opener = Callable[[str], BinaryIO]
"""Opens a remote URI for reading from the start to the end; it need not be seekable."""

Lister = Callable[[str], "Iterator[Listed]"]
"""Lists what lies below a prefix of a bucket, by key."""

_FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_KNOWN = (
    ".csv, .tsv, .jsonl, .ndjson (each also with .gz), .parquet, a folder (in a bucket it ends in '/'), or a glob"
    " such as 'a/**/*.jpg'"
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")


@dataclass(frozen=True)
class ManifestSource:
    """A manifest that was found.

    Attributes:
        uri: absolute path, or remote URI without credentials and query; may be logged and stored.
        address: what is opened: the same path, or the remote URI with all its secrets.
        format: csv, tsv, jsonl, parquet or folder.
        remote: whether its rows come from elsewhere, so that they cannot name files of this machine.
        encoding: of a text format.
        opener: opens `address` where it is remote.
        lister: lists `address` where it is a prefix of a bucket.
    """

    uri: str
    address: str
    format: str
    remote: bool
    encoding: str
    opener: Opener | None = None
    lister: Lister | None = None

    def open(self) -> BinaryIO:
        """The manifest's bytes, decompressed; the caller closes it.

        Raises:
            ManifestError: it cannot be opened.
        """
        try:
            raw = self.opener(self.address) if self.opener else _open_file(self.address)
        except OSError as error:
            raise self.unreadable(error) from error
        if isinstance(raw, io.RawIOBase) and self.format != "parquet":
            raw = cast("BinaryIO", ReadAhead(raw))
        if self.uri.lower().endswith(".gz"):
            return cast("BinaryIO", _GzipStream(raw))
        return raw

    def unreadable(self, error: OSError) -> ManifestError:
        """The job's error for a file or folder that the system would not open."""
        if isinstance(error, PermissionError):
            return ManifestError(f"No permission to read the manifest {self.uri}.", "Check its access rights.")
        reason = error.strerror or type(error).__name__
        return ManifestError(f"Cannot read the manifest {self.uri}: {reason}.", "Check the path and try again.")


def _open_file(path: str) -> BinaryIO:
    return Path(path).open("rb")


class _GzipStream(gzip.GzipFile):
    """Decompresses a stream and closes it too, which GzipFile leaves to others."""

    def __init__(self, raw: BinaryIO) -> None:
        super().__init__(fileobj=raw, mode="rb")
        self._raw = raw

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._raw.close()


def locate(
    config: ManifestConfig, uri: str, opener: Opener | None = None, lister: Lister | None = None
) -> ManifestSource:
    """The manifest behind a path, a glob or a URI.

    Raises:
        ManifestError: it does not exist, or its format cannot be told.
    """
    scheme = _SCHEME.match(uri)
    if scheme and scheme[1].lower() != "file":
        return _remote(config, uri, opener, lister)
    path = unquote(re.sub(r"^file:(//(localhost(?=/))?)?", "", uri, flags=re.IGNORECASE)) if scheme else uri
    return _local(config, os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111  # pathlib keeps '..'


def _remote(config: ManifestConfig, uri: str, opener: Opener | None, lister: Lister | None) -> ManifestSource:
    parts = urlsplit(uri)
    stored = parts.scheme in STORES and uri[len(parts.scheme) :].startswith("://")
    shown = bare(uri) if stored else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if opener is None:
        raise ManifestError(
            f"The manifest {shown} is remote, and nothing here opens '{parts.scheme}://'.",
            "Download it and pass its path.",
        )
    form = "folder" if stored and _is_prefix(config, shown) else _format(config, shown)
    if form == "folder" and config.format not in {"auto", "folder"}:
        raise ManifestError(
            f"The manifest {shown} is a folder, but manifest.format is {config.format}.",
            "Pass a file, or `--set manifest.format=folder`.",
        )
    if form == "folder" and (lister is None or not stored):
        raise ManifestError(
            f"The manifest {shown} cannot be listed as a folder.",
            "Pass a local folder, or a list of its files.",
        )
    return ManifestSource(shown, uri, form, remote=True, encoding=config.encoding, opener=opener, lister=lister)


def _is_prefix(config: ManifestConfig, uri: str) -> bool:
    """Whether a URI in a bucket means what lies below it: nobody can ask whether it is a folder, as on a disk."""
    key = uri.partition("://")[2].partition("/")[2]
    if not key or key.endswith("/") or config.format == "folder":
        return True
    return config.format == "auto" and glob.has_magic(key) and _ending(key) not in _FORMATS


def _local(config: ManifestConfig, path: str) -> ManifestSource:
    directory = os.path.isdir(path)  # noqa: PTH112  # unlike pathlib's, it never raises
    if not os.path.lexists(path) and glob.has_magic(path):
        directory = True
    elif not os.path.exists(path):  # noqa: PTH110  # as above
        raise _missing(path)
    if directory and config.format not in {"auto", "folder"}:
        raise ManifestError(
            f"The manifest {path} is a folder, but manifest.format is {config.format}.",
            "Pass a file, or `--set manifest.format=folder`.",
        )
    if not directory and config.format == "folder":
        raise ManifestError(
            f"The manifest {path} is not a folder, but manifest.format is folder.",
            "Pass a folder, or `--set manifest.format=auto`.",
        )
    form = "folder" if directory else _format(config, path)
    return ManifestSource(path, path, form, remote=False, encoding=config.encoding)


def _format(config: ManifestConfig, path: str) -> str:
    if config.format != "auto":
        return config.format
    ending, packed = _ending(path), path.lower().endswith(".gz")
    if ending not in _FORMATS or (packed and _FORMATS[ending] == "parquet"):
        raise ManifestError(
            f"The format of the manifest {path} cannot be told from its ending.",
            f"Known are {_KNOWN}. Or say it: `--set manifest.format=csv`.",
        )
    return _FORMATS[ending]


def _ending(path: str) -> str:
    name = PurePosixPath(path.lower())
    return PurePosixPath(name.stem).suffix if name.suffix == ".gz" else name.suffix


def _missing(path: str) -> ManifestError:
    folder = Path(path).parent
    try:
        near = difflib.get_close_matches(Path(path).name, sorted(item.name for item in folder.iterdir()), n=3)
    except PermissionError:
        return ManifestError(f"No permission to look for the manifest {path}.", "Check its access rights.")
    except OSError:
        return ManifestError(f"There is no manifest {path}: its folder does not exist.", "Check the path.")
    remedy = f"Did you mean {' or '.join(near)}?" if near else "Check the path."
    return ManifestError(f"There is no manifest {path}.", remedy)
