"""Getting a file's bytes from wherever its URI says, within limits and past no guard.

`fetcher` sends each URI the right way: `files` reads local ones, `clients` has the others downloaded on an event loop
(`loop`), by `http`, hop by hop, or by `buckets`; each hop and each bucket is checked by `guard`. `body` reads an answer
within limits; `faults` and `objects` say what went wrong. `manifests` opens and lists what is no picture.
"""

from tuku.fetching.fetcher import GuardedFetcher
from tuku.fetching.manifests import lister, open_stream
from tuku.fetching.protocol import Fetched, Fetcher

__all__ = ["Fetched", "Fetcher", "GuardedFetcher", "lister", "open_stream"]
