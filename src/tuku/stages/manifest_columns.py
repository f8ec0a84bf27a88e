"""Which column of a manifest is what: found by name, or named in the configuration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuku.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuku.config import ManifestConfig

URI_NAMES = ("uri", "path", "url", "image", "filepath", "origin")
ID_NAMES = ("id",)

_SHOWN = 20  # columns in an error message


@dataclass(frozen=True)
class Columns:
    """The columns with a role; all others are metadata.

    Attributes:
        uri: name of the column that says where the picture is.
        id: name of the column with the image's id; None: ids are hashed from URIs.
    """

    uri: str
    id: str | None


def find_columns(names: Sequence[str], config: ManifestConfig, manifest: str) -> Columns:
    """The columns' roles, case and surrounding blanks in their names ignored.

    Args:
        names: of all columns, in order.
        config: may name the columns.
        manifest: for the error message.

    Raises:
        ManifestError: a name stands there twice, or there is no column of that name.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ManifestError(
            f"The manifest {manifest} has more than one column named {', '.join(map(repr, twice))}.",
            "Rename or remove all but one.",
        )
    uri = _first_present(names, URI_NAMES if config.uri_column is None else (config.uri_column,))
    if uri is None:
        what = _what(config.uri_column, f"with the images' addresses (one of {', '.join(URI_NAMES)})")
        raise _absent(what, names, manifest, "manifest.uri_column")
    id_ = _first_present(names, ID_NAMES if config.id_column is None else (config.id_column,))
    if id_ is None and config.id_column is not None:
        raise _absent(_what(config.id_column, ""), names, manifest, "manifest.id_column")
    return Columns(uri, id_)


def _first_present(names: Sequence[str], wanted: Sequence[str]) -> str | None:
    for want in wanted:
        if want in names:  # as it is spelt, before its look-alikes
            return want
        for name in names:
            if name.strip().lower() == want.strip().lower():
                return name
    return None


def _what(configured: str | None, otherwise: str) -> str:
    return otherwise if configured is None else f"{configured!r}"


def _absent(what: str, names: Sequence[str], manifest: str, key: str) -> ManifestError:
    shown = ", ".join(repr(name[:60]) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return ManifestError(
        f"The manifest {manifest} has no column {what}; its columns are {shown}.",
        f"Name the right one: `--set {key}=…`.",
    )
