"""Fingerprints: equal when nothing changed that matters, different when anything did."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tuku.config import CaptionConfig
from tuku.protocols import ModelDescription
from tuku.stages.fingerprints import NO_CAPTION, caption_fingerprint, embedding_fingerprint, source_fingerprint

MODEL = ModelDescription("fake", "model", "1", dim=8)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "图 片.jpg"
    path.write_bytes(b"1234")
    os.utime(path, ns=(1, 1_000_000_000))
    return path


def test_an_untouched_file_keeps_its_fingerprint(picture: Path) -> None:
    assert source_fingerprint(str(picture)) == source_fingerprint(str(picture))


def test_size_mtime_path_and_absence_change_it(picture: Path) -> None:
    seen = [source_fingerprint(str(picture))]
    os.utime(picture, ns=(1, 1_000_000_001))
    seen.append(source_fingerprint(str(picture)))
    picture.write_bytes(b"12345")
    os.utime(picture, ns=(1, 1_000_000_000))
    seen.append(source_fingerprint(str(picture)))
    other = picture.rename(picture.with_name("other.jpg"))
    seen += [source_fingerprint(str(picture)), source_fingerprint(str(other))]
    assert len(set(seen)) == 5


def test_a_remote_file_is_known_by_its_uri() -> None:
    assert source_fingerprint("https://x.test/a.jpg") == source_fingerprint("https://x.test/a.jpg")
    assert source_fingerprint("https://x.test/a.jpg") != source_fingerprint("https://x.test/b.jpg")


@pytest.mark.parametrize("path", ["/a\0b.jpg", "/" + "x" * 5_000, "/half \ud800 character.jpg"])
def test_a_path_that_cannot_be_is_no_exception(path: str) -> None:
    assert source_fingerprint(path) == source_fingerprint(path)
    assert source_fingerprint(path) != source_fingerprint(path + "x")


@pytest.mark.parametrize("change", [{"provider": "other"}, {"model": "other"}, {"revision": "2"}])
def test_another_model_changes_caption_and_embedding(change: dict[str, str]) -> None:
    config, other = CaptionConfig(), replace(MODEL, **change)
    assert caption_fingerprint(MODEL, config) == caption_fingerprint(MODEL, config)
    assert caption_fingerprint(MODEL, config) != caption_fingerprint(other, config)
    assert embedding_fingerprint(MODEL, ["image"]) != embedding_fingerprint(other, ["image"])


def test_prompt_and_side_change_a_caption_and_quotas_do_not() -> None:
    plain = caption_fingerprint(MODEL, CaptionConfig())
    assert caption_fingerprint(MODEL, CaptionConfig(prompt="Describe it.")) != plain
    assert caption_fingerprint(MODEL, CaptionConfig(max_side_px=512)) != plain
    assert caption_fingerprint(MODEL, CaptionConfig(concurrency=9)) == plain


def test_no_captioner_has_a_fingerprint_of_its_own() -> None:
    assert caption_fingerprint(None, CaptionConfig(prompt="ignored")) == NO_CAPTION
    assert caption_fingerprint(MODEL, CaptionConfig()) != NO_CAPTION


def test_dimension_and_choice_of_vectors_change_an_embedding_and_their_order_does_not() -> None:
    both = embedding_fingerprint(MODEL, ["image", "text"])
    assert embedding_fingerprint(MODEL, ["text", "image"]) == both
    assert embedding_fingerprint(MODEL, ["image"]) != both
    assert embedding_fingerprint(replace(MODEL, dim=16), ["image", "text"]) != both
