"""A prefix of a bucket, or a glob in one, as a manifest."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from tuku.errors import ManifestError
from tuku.stages.fingerprints import served_fingerprint
from tuku.stages.manifest_folder import picture_blocks
from tuku.stages.manifest_glob import IMAGE_ENDINGS, Pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tuku.fetching.protocol import Listed
    from tuku.stages.manifest_rows import RowBlock
    from tuku.stages.manifest_source import Lister, ManifestSource


def read_listing(source: ManifestSource, batch_rows: int) -> Iterator[RowBlock]:
    """The pictures below a prefix, by key, in blocks of `batch_rows`; hidden ones are left out.

    Each comes with what the store says to tell its versions apart: one that is unchanged needs no request of its own.

    Raises:
        ManifestError: there is no picture, or the store does not list them (which does not mean there is none).
    """
    if source.lister is None:
        raise ManifestError(
            f"The manifest {source.uri} cannot be listed as a folder.", "Pass a local folder, or a list of its files."
        )
    return picture_blocks(source.uri, _pictures(source.uri, source.lister), batch_rows)


def _pictures(uri: str, lister: Lister) -> Iterator[tuple[str, str | None]]:
    prefix, pattern = _split(uri)
    for listed in lister(prefix):
        names = listed.uri[len(prefix) :].split("/")
        if names[-1].lower().endswith(IMAGE_ENDINGS) and not _hidden(names) and pattern.matches(names):
            yield listed.uri, _source(listed)


def _split(uri: str) -> tuple[str, Pattern]:
    """The URI of the prefix to list, with a slash at its end, and the pattern below it."""
    scheme, _, rest = uri.partition("://")
    bucket, *segments = rest.rstrip("/").split("/")
    start = next((i for i, segment in enumerate(segments) if glob.has_magic(segment)), len(segments))
    pattern = Pattern.parse(segments[start:]) if start < len(segments) else Pattern.everything()
    return "/".join([f"{scheme}://{bucket}", *segments[:start], ""]), pattern


def _hidden(names: list[str]) -> bool:
    return any(name.startswith(".") for name in names)


def _source(listed: Listed) -> str | None:
    said = listed.validators
    return served_fingerprint(said.etag, said.last_modified) if said.etag or said.last_modified else None
