"""The configuration of the search page and its API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, field_validator

from tuku.config_types import Count, Name, Seconds, Section

LEAST_TOKEN = 16
"""Characters of a token: shorter ones can be guessed."""


class ServeConfig(Section):
    """Who may reach the search page, and how much it takes."""

    host: Name = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8600
    token: SecretStr | None = Field(default=None, exclude=True)
    open: bool = False
    allowed_hosts: tuple[Name, ...] = ()
    local_paths: bool = False
    image_urls: bool = False
    max_upload_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 20_000_000
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    waiting: Annotated[int, Field(ge=0, le=10_000)] = 64
    timeout_s: Seconds = 30.0
    thumbnail_cache_mb: Count = 64
    feedback: bool = True
    feedback_flush_s: Seconds = 30.0
    access_log: bool = False

    @field_validator("token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < LEAST_TOKEN:
            raise ValueError(f"at least {LEAST_TOKEN} characters: a shorter token can be guessed")
        return value
