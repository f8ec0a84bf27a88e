"""Getting a file's bytes from wherever its URI says, within limits and past no guard.

`fetcher` sends each URI the right way: `files` reads local ones, `http` downloads the others on an event loop
(`loop`), hop by hop, each hop checked by `guard`; `body` reads an answer within limits; `faults` says what went wrong.
"""

from tuku.fetching.fetcher import GuardedFetcher, open_stream
from tuku.fetching.protocol import Fetched, Fetcher

__all__ = ["Fetched", "Fetcher", "GuardedFetcher", "open_stream"]
