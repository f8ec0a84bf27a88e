"""The demo's catalogue: real photographs out of two Python packages, listed in a CSV. Nothing is downloaded.

python -m tuku.demo FOLDER
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from tuku.demo_photographs import PHOTOGRAPHS, Box, Photograph
from tuku.errors import ConfigError, StorageError, TukuError

_COLUMNS = ("id", "uri", "title", "title_zh", "category", "price", "part_of", "source")
_DISTRIBUTIONS = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
_PICTURES = "photographs"


def build_catalogue(folder: Path) -> Path:
    """Write the photographs and their catalogue.

    What is already there with the right content is left alone, so that a second run finds nothing changed.

    Args:
        folder: gets ``catalogue.csv`` (UTF-8, one row per picture, ``uri`` relative to it) and the pictures.

    Returns:
        The path of ``catalogue.csv``.

    Raises:
        ConfigError: scikit-image or scikit-learn is not installed, or no longer carries a photograph.
        StorageError: the folder cannot be written.
    """
    rows: list[dict[str, Any]] = []
    try:
        (folder / _PICTURES).mkdir(parents=True, exist_ok=True)
        for photograph in PHOTOGRAPHS:
            for row, content in _pictures(photograph):
                _write_if_changed(folder / row["uri"], content)
                rows.append(row)
        catalogue = folder / "catalogue.csv"
        _write_if_changed(catalogue, _as_csv(rows))
    except OSError as error:
        raise StorageError(
            f"The demo's catalogue cannot be written to {folder}: {error.strerror}.", "Choose another folder."
        ) from error
    return catalogue


def _pictures(photograph: Photograph) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Row and file content of the photograph and of each of its parts."""
    content = _read(photograph)
    ending = PurePosixPath(photograph.path).suffix
    source = f"{_DISTRIBUTIONS[photograph.package]}: {PurePosixPath(photograph.path).name}"
    shared = {"category": photograph.category, "source": source}

    def row(name: str, title: str, title_zh: str, price: float, part_of: str) -> dict[str, Any]:
        described = {"title": title, "title_zh": title_zh, "price": price, "part_of": part_of}
        return {"id": name, "uri": f"{_PICTURES}/{name}{ending}", **described, **shared}

    yield row(photograph.name, photograph.title, photograph.title_zh, photograph.price, ""), content
    for part in photograph.parts:
        name = f"{photograph.name}-{part.name}"
        price = round(photograph.price / 2, 2)
        yield row(name, part.title, part.title_zh, price, photograph.name), _crop(content, part.box)


def _read(photograph: Photograph) -> bytes:
    remedy = "Install the demo's photographs: pip install 'tuku[demo]'."
    distribution = _DISTRIBUTIONS[photograph.package]
    spec = find_spec(photograph.package)  # imports nothing: scikit-learn alone would take seconds
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"The package {distribution} is not installed.", remedy)
    file = Path(spec.submodule_search_locations[0], photograph.path)
    if not file.is_file():
        raise ConfigError(f"The installed {distribution} carries no {photograph.path}.", remedy)
    return file.read_bytes()


def _crop(content: bytes, box: Box) -> bytes:
    """The part of an encoded picture inside `box`, encoded in the same format."""
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
        left, top, right, bottom = box
        part = picture.crop((round(left * width), round(top * height), round(right * width), round(bottom * height)))
        encoded = io.BytesIO()
        part.save(encoded, format=picture.format, quality=92)
    return encoded.getvalue()


def _as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _write_if_changed(file: Path, content: bytes) -> None:
    if not file.is_file() or file.read_bytes() != content:
        file.write_bytes(content)


def main(arguments: list[str]) -> int:
    """Build the catalogue in the folder that is the only argument, and print its path."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m tuku.demo FOLDER\n")
        return 2
    try:
        catalogue = build_catalogue(Path(arguments[0]))
    except TukuError as error:
        sys.stderr.write(f"tuku: {error}\n")
        return error.exit_code
    sys.stdout.write(f"{catalogue}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
