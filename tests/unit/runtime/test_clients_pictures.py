"""Pictures that clients name: nothing but what the public internet has."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.files import png
from fakes.image_server import serve
from tuku.config import Config, FetchConfig
from tuku.errors import ConfigError
from tuku.fetching import guard
from tuku.runtime.clients_pictures import ClientsPictures
from tuku.runtime.serving import LiveCatalogue
from tuku.search.query import Query


@pytest.mark.parametrize(
    "fetch", [FetchConfig(), FetchConfig(allow_private_networks=True), FetchConfig(allowed_hosts=("127.0.0.1",))]
)
def test_no_client_looks_around_from_here(tmp_path: Path, fetch: FetchConfig):
    (tmp_path / "red.png").write_bytes(png((255, 0, 0)))
    said = set()
    with serve(tmp_path) as server:
        catalogue = LiveCatalogue(Config(fetch=fetch))
        there, gone, own = f"{server.url}/red.png", f"{server.url}/none.png", str(tmp_path / "red.png")
        for url in (
            there,
            gone,
            own,
            "http://127.0.0.1:1/",
            "s3://bucket/a.jpg",
            "oss://bucket/a.jpg",
            "gs://bucket/a.jpg",
        ):
            with pytest.raises(ConfigError) as refused:
                catalogue.search(Query(image=url))
            said.add(str(refused.value))
        catalogue.close()
        assert not server.hits
    assert said == {"No picture can be had from this URL. Send the picture itself."}


def test_a_public_picture_is_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "red.png").write_bytes(png((255, 0, 0)))
    monkeypatch.setattr(guard, "is_public", lambda _: True)
    with serve(tmp_path) as server:
        pictures = ClientsPictures(Config())
        assert pictures.content(f"{server.url}/red.png") == (tmp_path / "red.png").read_bytes()
        with pytest.raises(ConfigError):
            pictures.content(f"{server.url}/none.png")
        pictures.close()


@pytest.mark.parametrize("url", ["s3://bucket/red.png", "gs://bucket/red.png", "oss://bucket/red.png"])
def test_no_object_is_read_for_a_client_whatever_a_manifest_may_name(url: str, monkeypatch: pytest.MonkeyPatch):
    asked: list[object] = []
    monkeypatch.setattr("tuku.fetching.clients.Clients.fetch_objects", lambda *given: asked.append(given))
    pictures = ClientsPictures(Config(fetch=FetchConfig(allowed_hosts=("bucket",))))
    with pytest.raises(ConfigError):
        pictures.content(url)
    assert asked == []
    pictures.close()
