"""A catalogue in which every way through the pipeline is taken, and the one of the night before."""

from __future__ import annotations

import asyncio
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from PIL import Image

from contract.pictures import noise
from fakes.image_server import ImageServer

PICTURES = 40  # no two alike; every other one lies on a web server
TWINS = 4  # rows with a picture that another row has
BROKEN = "broken"  # one row that can never be
SERVED = PICTURES // 2

_WAIT_S = 0.08

Row = tuple[str, str, float]
"""Id, path or URL, price."""


class SlowImages(ImageServer):
    """Takes its time, and knows what it has sent before."""

    async def _file(self, request: web.Request) -> web.Response:
        await asyncio.sleep(_WAIT_S)
        response = await super()._file(request)
        known = request.headers.get("If-None-Match")
        return web.Response(status=304) if known == response.headers["ETag"] else response

    @property
    def asked(self) -> int:
        """How many requests have come so far."""
        return sum(self.hits.values())


@dataclass(frozen=True)
class Catalogues:
    """The manifest of this night and that of the one before, which had fewer pictures, other ones and other prices."""

    tonight: Path
    before: Path


def make_pictures(folder: Path) -> None:
    """Small ones, and their twins."""
    folder.mkdir()
    for number in range(PICTURES + 4):
        Image.fromarray(noise(number, 64, 48).pixels).save(folder / f"{number}.png")
    for number in range(TWINS):
        shutil.copy(folder / f"{number}.png", folder / f"twin-{number}.png")
    (folder / f"{BROKEN}.png").write_bytes((folder / "0.png").read_bytes()[:60])


def make_catalogues(folder: Path, url: str) -> Catalogues:
    """Write both manifests into the folder of the pictures, half of which are served at the URL."""

    def where(number: int) -> str:
        return f"{url}/{number}.png" if number % 2 else f"{number}.png"

    rows: list[Row] = [(f"p{number}", where(number), float(number)) for number in range(PICTURES)]
    rows += [(f"t{number}", f"twin-{number}.png", 0.5) for number in range(TWINS)]
    rows += [(BROKEN, f"{BROKEN}.png", 1.0)]
    older: list[Row] = [
        *(
            (key, f"{PICTURES + number}.png", price) for number, (key, _, price) in enumerate(rows[:4])
        ),  # other pictures
        *((key, uri, price + 100) for key, uri, price in rows[4:10]),
        *rows[10:28],
    ]
    return Catalogues(_write(folder / "tonight.csv", rows), _write(folder / "before.csv", older))


def _write(file: Path, rows: list[Row]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([("id", "uri", "price"), *rows])
    return file
