"""A folder of pictures, or a glob, as a manifest."""

from __future__ import annotations

import fnmatch
import glob
import os
import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tuku.errors import ManifestError
from tuku.stages.manifest_rows import RowBlock
from tuku.stages.manifest_values import join_members, value_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.stages.manifest_source import ManifestSource

IMAGE_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

_ANY_DEPTH = "**"


def read_folder(source: ManifestSource, batch_rows: int) -> Iterator[RowBlock]:
    """The pictures of a folder in blocks of `batch_rows`: its own by name, then its subfolders by name.

    Hidden files and folders are left out. Links are followed, but not back to a folder above them.

    Raises:
        ManifestError: there is no picture, or a folder cannot be listed (which does not mean it is empty).
    """
    root, pattern = _split(source.uri)
    pictures = _walk(source, root, pattern)
    paths = list(islice(pictures, batch_rows))
    if not paths:
        raise ManifestError(
            f"There are no pictures in {source.uri}.", f"Their names must end in {', '.join(IMAGE_ENDINGS)}."
        )
    while paths:
        count = len(paths)
        rows = join_members([value_members("uri", paths)], count)
        yield RowBlock(uris=paths, ids=None, metadata=["{}"] * count, rows=rows)
        paths = list(islice(pictures, batch_rows))


def _split(path: str) -> tuple[str, _Pattern]:
    """The folder to start in and the pattern below it."""
    if os.path.isdir(path):  # noqa: PTH112  # unlike pathlib's, it never raises
        return path, _Pattern.parse([_ANY_DEPTH, "*"])
    segments = path.split("/")
    start = next(i for i, segment in enumerate(segments) if glob.has_magic(segment))
    below = segments[start:]
    return "/".join(segments[:start]) or "/", _Pattern.parse(below if below[-1] != _ANY_DEPTH else [*below, "*"])


@dataclass(frozen=True)
class _Pattern:
    """A glob as a small automaton over path segments: a state is how many of them are matched.

    Attributes:
        segments: what each name must match; None is ``**``, any number of folders.
    """

    segments: tuple[re.Pattern[str] | None, ...]

    @classmethod
    def parse(cls, segments: list[str]) -> _Pattern:
        return cls(tuple(None if s == _ANY_DEPTH else re.compile(fnmatch.translate(s)) for s in segments))

    def start(self) -> frozenset[int]:
        return self._close({0})

    def step(self, states: frozenset[int], name: str) -> frozenset[int]:
        after = set()
        for state in states - {len(self.segments)}:
            segment = self.segments[state]
            if segment is None:
                after.add(state)
            elif segment.match(name):
                after.add(state + 1)
        return self._close(after)

    def _close(self, states: set[int]) -> frozenset[int]:
        for state, segment in enumerate(self.segments):
            if segment is None and state in states:
                states.add(state + 1)
        return frozenset(states)


@dataclass(frozen=True)
class _Folder:
    path: str
    states: frozenset[int]
    above: frozenset[tuple[int, int]]  # device and inode of every folder on the way here


def _walk(source: ManifestSource, root: str, pattern: _Pattern) -> Iterator[str]:
    end = len(pattern.segments)
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
