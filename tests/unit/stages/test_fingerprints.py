"""Fingerprints: equal when nothing changed that matters, different when anything did."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuku.protocols import ModelDescription, PictureSize
from tuku.stages.fingerprints import (
    NO_CAPTION,
    caption_fingerprint,
    embedding_fingerprint,
    served_fingerprint,
    source_fingerprint,
    validators,
)
from tuku.terms import Terms

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
    picture.unlink()
    seen.append(source_fingerprint(str(picture)))
    assert None not in seen
    assert len(set(seen)) == 4


def test_of_a_remote_file_nothing_is_known_before_it_is_asked_for() -> None:
    assert source_fingerprint("https://x.test/a.jpg") is None


@pytest.mark.parametrize("path", ["/a\0b.jpg", "/" + "x" * 5_000, "/half \ud800 character.jpg"])
def test_a_path_that_cannot_be_is_missing(path: str) -> None:
    assert source_fingerprint(path) == source_fingerprint("/absent.jpg") == "missing"


@pytest.mark.parametrize("said", [(None, None), ('"1"', None), (None, "Mon"), ('W/"图"', "\udcff"), ('"', "{}")])
def test_what_a_server_said_is_kept_word_for_word(said: tuple[str | None, str | None]) -> None:
    fingerprint = served_fingerprint(*said)
    assert fingerprint.isascii()
    assert validators(fingerprint) == said


def test_what_is_said_otherwise_is_another_fingerprint() -> None:
    said = [(None, None), ('"1"', None), (None, '"1"'), ('"2"', None), ('"1"', '"1"')]
    assert len({served_fingerprint(*each) for each in said}) == len(said)


@pytest.mark.parametrize("fingerprint", [None, "", "missing", "4 bytes at 1"])
def test_a_local_file_has_no_validators(fingerprint: str | None) -> None:
    assert validators(fingerprint) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        {"provider": "other"},
        {"model": "other"},
        {"revision": "2"},
        {"settings": (("prompt", "Describe it."),)},
        {"picture_size": PictureSize(long_side_px=512)},
    ],
)
def test_another_model_prompt_or_side_changes_caption_and_embedding(change: dict[str, Any]) -> None:
    other = replace(MODEL, **change)
    assert caption_fingerprint(MODEL) == caption_fingerprint(replace(MODEL))
    assert caption_fingerprint(MODEL) != caption_fingerprint(other)
    assert embedding_fingerprint(MODEL, ["image"]) != embedding_fingerprint(other, ["image"])


def test_terms_and_notes_change_nothing() -> None:
    dearer = replace(MODEL, terms=Terms(requests_per_min=9), note="New.", lane="api")
    assert caption_fingerprint(dearer) == caption_fingerprint(MODEL)
    assert embedding_fingerprint(dearer, ["image"]) == embedding_fingerprint(MODEL, ["image"])


def test_no_captioner_has_a_fingerprint_of_its_own() -> None:
    assert caption_fingerprint(None) == NO_CAPTION
    assert caption_fingerprint(MODEL) != NO_CAPTION


def test_dimension_and_choice_of_vectors_change_an_embedding_and_their_order_does_not() -> None:
    both = embedding_fingerprint(MODEL, ["image", "text"])
    assert embedding_fingerprint(MODEL, ["text", "image"]) == both
    assert embedding_fingerprint(MODEL, ["image"]) != both
    assert embedding_fingerprint(replace(MODEL, dim=16), ["image", "text"]) != both
