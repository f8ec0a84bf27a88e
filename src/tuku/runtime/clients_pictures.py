"""Pictures that clients of `tuku serve` name by their URLs: whoever may search is not trusted as a manifest is."""

from __future__ import annotations

import logging
from dataclasses import replace

from tuku.config import Config
from tuku.errors import ConfigError, RowError
from tuku.fetching import GuardedFetcher
from tuku.fetching.guard import Guard
from tuku.retry import RetryPolicy
from tuku.terminal import printable

_log = logging.getLogger(__name__)


class ClientsPictures:
    """Fetches over http(s) from public addresses alone, whatever `fetch` allows a manifest.

    Args:
        config: `fetch.allowed_hosts`, if there are any, holds here too, but makes no private address reachable.
    """

    def __init__(self, config: Config) -> None:
        most = min(config.fetch.max_bytes, config.serve.max_upload_bytes)
        limits = config.fetch.model_copy(update={"max_bytes": most})
        guard = replace(Guard.of(limits), schemes=frozenset({"http", "https"}), allow_private=False)
        self._fetcher = GuardedFetcher(limits, policy=RetryPolicy(attempts=1), guard=guard)

    def content(self, url: str) -> bytes:
        """The file.

        Raises:
            ConfigError: there is none; the message does not say why, so that nobody can look around from here.
        """
        file = self._fetcher.fetch([url])[0]
        if isinstance(file, RowError):
            _log.info("A client's picture: %s", printable(str(file)))
            raise ConfigError("No picture can be had from this URL.", "Send the picture itself.")
        return bytes(file.content)

    def close(self) -> None:
        """Let go of all connections."""
        self._fetcher.close()
