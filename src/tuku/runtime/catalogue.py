"""Where the rows of a run come from: a manifest, or the dead letters of earlier runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from tuku.config import Config
from tuku.dead_letters import RowsToRetry, Selection
from tuku.lake import Lake
from tuku.runtime.inputs import manifest_uri
from tuku.stages.manifest import read_manifest
from tuku.stages.manifest_source import locate


@dataclass(frozen=True)
class Catalogue:
    """Rows to be brought into the lake.

    Attributes:
        name: for people: a path or URI without secrets, or what else they are.
        tables: streams them, in schema `ROWS`.
        warnings: what people should know of them; asked once the tables have been read.
        manifest: the manifest's name if these are its rows.
        whole: all of the manifest's rows: then it settles what earlier runs said of them.
        restate: rows that are fine are written all the same, so that this run has the last word on them.
    """

    name: str
    tables: Callable[[], Iterator[pa.Table]]
    warnings: Callable[[], Iterable[str]] = tuple
    manifest: str | None = None
    whole: bool = False
    restate: bool = False

    @classmethod
    def of_manifest(cls, config: Config) -> Catalogue:
        """What `manifest.uri` names.

        Raises:
            ConfigError: nothing is named.
            ManifestError: it cannot be found.
        """
        from tuku.fetching import lister, open_stream

        uri = manifest_uri(config)
        opener, listed = open_stream(config.fetch), lister(config.fetch)
        name = locate(config.manifest, uri, opener, listed).uri

        def tables() -> Iterator[pa.Table]:
            return read_manifest(config.manifest, uri, opener=opener, lister=listed)

        whole = config.manifest.limit is None and config.manifest.shard is None
        return cls(name, tables, manifest=name, whole=whole)

    @classmethod
    def of_dead_letters(cls, lake: Lake, selection: Selection) -> Catalogue:
        """The dead letters that stand, or those of them that are wanted."""
        rows = RowsToRetry(lake, selection)
        return cls("dead letters", rows.tables, warnings=rows.warnings, restate=True)
