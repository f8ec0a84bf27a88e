"""The page of an evaluation: misses are shown as text, and what is passed on holds no secrets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tuku.search.evaluate import Answered, Evaluation
from tuku.search.evaluation_page import render_evaluation
from tuku.search.quality import Quality
from tuku.search.query import Query
from tuku.search.query_file import Labelled
from tuku.search.results import Result

NASTY = "<script>alert(1)</script>\x1b[2J"
CATALOGUE = {"wanted": Result("wanted", 0.0, uri="https://user:secret@host/w.jpg?signature=abc", caption=NASTY)}


def evaluation(query: Query) -> Evaluation:
    results = (Result("other", 0.9, uri="/other.jpg", caption="another one"),)
    quality = Quality.of(["other"], ["wanted"])
    answered = Answered(Labelled(query, ("wanted",)), np.zeros(4, np.float32), results, quality, 1.0)
    return Evaluation("tuku", {"text+image-to-image": [answered]})


def render(query: Query) -> str:
    def lookup(ids: Sequence[str]) -> dict[str, Result]:
        return {image_id: CATALOGUE[image_id] for image_id in ids if image_id in CATALOGUE}

    return render_evaluation([evaluation(query)], 10, lookup, lambda results: [None for _ in results])


def test_a_query_without_its_answer_is_shown_beside_what_was_found():
    page = render(Query(text="a red kettle", where="price < 3"))
    for shown in ("a red kettle", "price &lt; 3", "should have been found", "was found", "another one"):
        assert shown in page


def test_the_query_s_picture_gives_no_secrets_away():
    page = render(Query(text="like this", image="https://user:secret@host/q.jpg?signature=abc"))
    assert "like this + https://host/q.jpg" in page
    assert "secret" not in page
    assert "signature" not in page


def test_texts_of_the_catalogue_stay_texts():
    page = render(Query(text=NASTY))
    assert "<script" not in page
    assert "\x1b" not in page
