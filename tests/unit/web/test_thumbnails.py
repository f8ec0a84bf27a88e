"""Thumbnails: only of the catalogue's pictures, small, made once."""

from __future__ import annotations

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from fakes.catalogue import FakeCatalogue
from fakes.files import png
from tuku.config import DecodeConfig
from tuku.errors import RowError
from tuku.search.results import Result
from tuku.web.executor import BoundedExecutor
from tuku.web.names import id_of, segment_of
from tuku.web.thumbnails import FRESH_S, Thumbnails
from unit.web.conftest import serving


def opened(answer) -> Image.Image:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.parametrize("width", [160, 320, 640])
def test_a_picture_is_made_small_and_keeps_nothing_but_pixels(width):
    photo = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    Image.new("RGB", (2000, 1000), (0, 0, 255)).save(photo, "JPEG", exif=exif)
    with serving(FakeCatalogue(files={"/srv/secret/blue.png": photo.getvalue()})) as client:
        image = opened(client.get(f"/api/v1/images/blue/thumbnail?w={width}"))
    assert image.size == (width, width // 2)
    assert not image.getexif()


def test_other_sizes_are_not_made(client):
    for width in ("10000", "0", "-1", "319", "x"):
        assert client.get(f"/api/v1/images/blue/thumbnail?w={width}").status_code == 422


def test_it_is_made_once_and_not_sent_twice():
    catalogue = FakeCatalogue()
    with serving(catalogue) as client:
        first = client.get("/api/v1/images/blue/thumbnail")
        assert first.headers["cache-control"] == "private, max-age=600"
        again = client.get("/api/v1/images/blue/thumbnail", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        with ThreadPoolExecutor(8) as people:
            both = list(people.map(client.get, ["/api/v1/images/red/thumbnail"] * 8))
        assert {each.status_code for each in both} == {200}
    assert catalogue.fetched == ["/srv/secret/blue.png", "/srv/secret/red.png"]


def test_memory_is_bounded():
    catalogue = FakeCatalogue(images=[Result(str(n), 0.0, uri=f"/{n}/blue.png") for n in range(30)])

    async def all_of_them() -> None:
        executor = BoundedExecutor("test", 2, 50, 10)
        kept = Thumbnails(catalogue, DecodeConfig(), executor, max_bytes=20_000)
        sizes = [len((await kept.get(str(n), 160))[0].content) for n in range(30)]
        assert sum(sizes) + 30_000 > 20_000
        assert (await kept.get("29", 160))[1] == "hit"
        assert (await kept.get("0", 160))[1] == "made"
        executor.close()

    asyncio.run(all_of_them())
    assert len(catalogue.fetched) == 31


@pytest.mark.parametrize("content", [RowError("not_found", "gone"), b"", b"<html>", png((0, 0, 255))[:40]])
def test_a_picture_that_cannot_be_had_is_a_placeholder(content):
    with serving(FakeCatalogue(files={"/srv/secret/blue.png": content})) as client:
        answer = client.get("/api/v1/images/blue/thumbnail")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "image/svg+xml")
        assert b"<script" not in answer.content
        assert 'outcome="missing"' in client.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    [
        "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "file%3a%2f%2f%2fetc%2fpasswd",
        "http%3a%2f%2f169.254.169.254%2f", segment_of("../../../etc/passwd"), segment_of("/etc/passwd"),
        segment_of("file:///etc/passwd"), "~", "~%%%", "~AA", "%00", segment_of("\x00"), "x" * 2000,
    ],
)  # fmt: skip
def test_a_client_names_no_file(path):
    catalogue = FakeCatalogue()
    with serving(catalogue) as client:
        answer = client.get(f"/api/v1/images/{path}/thumbnail")
        assert answer.status_code == 404
        assert b"root:" not in answer.content
    assert catalogue.fetched == []


@pytest.mark.parametrize("image_id", ["..", ".", "a/b", "a/similar", "~x", "猫", "a?b#c", "%2e", "a b", "\\", "'\"<>&"])
def test_an_id_may_be_anything(image_id):
    catalogue = FakeCatalogue(images=[Result(image_id, 0.5, uri="/srv/secret/red.png", caption="A red picture")])
    assert id_of(segment_of(image_id)) == image_id
    with serving(catalogue) as client:
        path = f"/api/v1/images/{segment_of(image_id)}"
        assert client.get(path).json()["id"] == image_id
        opened(client.get(f"{path}/thumbnail"))
        assert client.get(f"{path}/similar").json()["query"]["like"] == image_id


def test_a_result_need_not_be_looked_up_again():
    catalogue = FakeCatalogue()
    with serving(catalogue) as client:
        client.get("/api/v1/search?text=red")
        catalogue.images.clear()
        opened(client.get("/api/v1/images/red/thumbnail"))
        assert client.get("/api/v1/images/red").status_code == 404


def test_an_image_that_has_left_the_catalogue_is_not_shown_for_long():
    catalogue, now_s = FakeCatalogue(), [0.0]

    async def at_night() -> None:
        executor = BoundedExecutor("test", 2, 50, 10)
        kept = Thumbnails(catalogue, DecodeConfig(), executor, max_bytes=1_000_000, clock=lambda: now_s[0])
        kept.expect(catalogue.images)
        assert (await kept.get("red", 160))[1] == "made"
        catalogue.images.clear()
        now_s[0] += FRESH_S
        assert [(await kept.get("red", width))[1] for width in (160, 320)] == ["missing", "missing"]
        executor.close()

    asyncio.run(at_night())
