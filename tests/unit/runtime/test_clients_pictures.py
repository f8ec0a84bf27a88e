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
        for url in (there, gone, own, "http://127.0.0.1:1/"):
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
