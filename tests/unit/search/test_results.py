from __future__ import annotations

import json

from tuku.search.query import Query
from tuku.search.results import Result, SearchAnswer


def test_an_answer_is_the_contracts_json():
    result = Result("1", 0.5, {"image_embedding": 0.5}, "/1.jpg", "一只狗", ("狗",), {"price": 9.5}, "brown")
    query = Query(text="狗", target="text", where="price < 10", limit=3)
    answer = SearchAnswer(query, (result,), reranked=True, timings_ms={"encode": 1.5})
    assert json.loads(json.dumps(answer.to_dict())) == {
        "query": {
            "text": "狗",
            "image": None,
            "in": "text",
            "where": "price < 10",
            "limit": 3,
            "offset": 0,
            "min_score": None,
            "boosts": {},
            "group_by": None,
            "rerank": False,
        },
        "results": [
            {
                "id": "1",
                "score": 0.5,
                "scores": {"image_embedding": 0.5},
                "uri": "/1.jpg",
                "caption": "一只狗",
                "keywords": ["狗"],
                "metadata": {"price": 9.5},
                "reason": "brown",
            }
        ],
        "reranked": True,
        "timings_ms": {"encode": 1.5},
        "notes": [],
    }
