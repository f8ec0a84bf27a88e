"""A folder of pictures, or a glob, as a manifest."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tuku.errors import ManifestError
from tuku.stages.manifest_glob import IMAGE_ENDINGS, Pattern
from tuku.stages.manifest_rows import RowBlock
from tuku.stages.manifest_values import join_members, value_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.stages.manifest_source import ManifestSource


def read_folder(source: ManifestSource, batch_rows: int) -> Iterator[RowBlock]:
    """The pictures of a folder in blocks of `batch_rows`: its own by name, then its subfolders by name.

    Hidden files and folders are left out. Links are followed, but not back to a folder above them.

    Raises:
        ManifestError: there is no picture, or a folder cannot be listed (which does not mean it is empty).
    """
    root, pattern = _split(source.uri)
    yield from picture_blocks(source.uri, ((path, None) for path in _walk(source, root, pattern)), batch_rows)


def picture_blocks(manifest: str, pictures: Iterator[tuple[str, str | None]], batch_rows: int) -> Iterator[RowBlock]:
    """Pictures as the rows of a manifest.

    Args:
        manifest: for the message.
        pictures: path or URI of each, with its source fingerprint where there is one already.
        batch_rows: rows in a block.

    Raises:
        ManifestError: there is none.
    """
    found = list(islice(pictures, batch_rows))
    if not found:
        raise ManifestError(
            f"There are no pictures in {manifest}.", f"Their names must end in {', '.join(IMAGE_ENDINGS)}."
        )
    while found:
        uris = [uri for uri, _ in found]
        rows = join_members([value_members("uri", uris)], len(uris))
        sources = [source for _, source in found]
        yield RowBlock(uris=uris, ids=None, metadata=["{}"] * len(uris), rows=rows, sources=sources)
        found = list(islice(pictures, batch_rows))


def _split(path: str) -> tuple[str, Pattern]:
    """The folder to start in and the pattern below it."""
    if os.path.isdir(path):  # noqa: PTH112  # unlike pathlib's, it never raises
        return path, Pattern.everything()
    segments = path.split("/")
    start = next(i for i, segment in enumerate(segments) if glob.has_magic(segment))
    return "/".join(segments[:start]) or "/", Pattern.parse(segments[start:])


@dataclass(frozen=True)
class _Folder:
    path: str
    states: frozenset[int]
    above: frozenset[tuple[int, int]]  # device and inode of every folder on the way here


def _walk(source: ManifestSource, root: str, pattern: Pattern) -> Iterator[str]:
    end = pattern.end
    pending = [_Folder(root, pattern.start(), frozenset())]
    while pending:
        folder = pending.pop()
        try:
            info = Path(folder.path).stat()
            here = (info.st_dev, info.st_ino)
            if here in folder.above:
                continue
            files, folders = _list(folder.path)
        except OSError as error:
            raise _unlistable(source, folder.path, error) from error
        prefix = folder.path.rstrip("/") + "/"
        for name in files:
            if end in pattern.step(folder.states, name):
                yield prefix + name
        above = folder.above | {here}
        below = ((name, pattern.step(folder.states, name)) for name in reversed(folders))
        pending += [_Folder(prefix + name, states, above) for name, states in below if states - {end}]


def _list(path: str) -> tuple[list[str], list[str]]:
    """Names of the pictures and of the folders in a folder, each sorted."""
    files, folders = [], []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                folders.append(entry.name)
            elif entry.name.lower().endswith(IMAGE_ENDINGS):
                files.append(entry.name)
    return sorted(files), sorted(folders)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link to itself: as a picture it becomes a row, and the fetch stage says what it is


def _unlistable(source: ManifestSource, path: str, error: OSError) -> ManifestError:
    if isinstance(error, FileNotFoundError):
        return ManifestError(f"There is no folder {path}, named by the manifest {source.uri}.", "Check the path.")
    return ManifestError(
        f"Cannot list the folder {path} of the manifest {source.uri}: {error.strerror}.",
        "Check its access rights.",
    )
