from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuku.providers.api.shown import shown


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abcDEF123. You can find…",
        "header Authorization: Bearer abcDEF123 refused",
        "key LTAIabcDEF123abcDEF123 unknown",
        "bad url data:image/jpeg;base64,abcDEF123+/== in content",
    ],
)
def test_keys_and_pictures_are_cut_out(text: str) -> None:
    assert "abcDEF123" not in shown(text)


def test_the_rest_stays_on_one_line() -> None:
    assert shown("Input data\n may contain\tinappropriate content.") == "Input data may contain inappropriate content."
    assert len(shown("<html>" + "x" * 5_000)) == 200


@settings(deadline=None)
@given(st.text())
def test_what_is_shown_can_be_stored(text: str) -> None:
    line = shown(text + "\ud800")
    line.encode()
    assert "\n" not in line
    assert len(line) <= 200
