"""Search: encode the query, retrieve, fuse, apply business rules, rerank, show.

`Searcher` is the API behind `tuku search` and the page; `tuku.runtime.searching.open_searcher` makes one of a
configuration:

    with open_searcher(load_config(Path("conf/local.yaml"), [], os.environ)) as searcher:
        answer = searcher.search(Query(text="a cat", where="price < 100", limit=9))
"""

from tuku.search.query import Query, Target
from tuku.search.results import Result, SearchAnswer
from tuku.search.searcher import Searcher

__all__ = ["Query", "Result", "SearchAnswer", "Searcher", "Target"]
