from __future__ import annotations

import pytest

from tuku.errors import ConfigError
from tuku.providers.api.parameters import allow_only, refuse

KEYS = {"dimension": "embed.dim"}


def test_what_shapes_the_answer_goes_through() -> None:
    allow_only("embed", ["seed"], {"seed", "stop"}, KEYS)
    refuse("caption", ["top_k", "min_p", "max_completion_tokens", "min_tokens"], {"stream"}, KEYS)


def test_what_is_not_known_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match=r"embed\.parameters\.stream .*Allowed are: seed, stop\."):
        allow_only("embed", ["seed", "stream"], {"stop", "seed"}, KEYS)


@pytest.mark.parametrize("refused", [allow_only, refuse])
def test_what_has_a_key_of_its_own_names_it(refused) -> None:
    with pytest.raises(ConfigError, match=r"parameters\.dimension .*Set embed\.dim instead\."):
        refused("embed", ["dimension"], {"seed"}, KEYS)


def test_what_is_known_to_do_harm_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"caption\.parameters\.stream would change"):
        refuse("caption", ["top_k", "stream"], {"stream"}, KEYS)


@pytest.mark.parametrize("name", ["api_key", "apiKey", "Authorization", "access-token", "password", "X-Api-Key"])
def test_no_secret_is_a_parameter(name: str) -> None:
    with pytest.raises(ConfigError, match="environment only"):
        refuse("caption", [name], set(), KEYS)
