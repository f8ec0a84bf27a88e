"""An evaluation on a terminal: figures, and what they cost."""

from __future__ import annotations

import io

import numpy as np

from tuku.protocols import Usage
from tuku.search.evaluate import Answered, Evaluation
from tuku.search.evaluation_summary import evaluation_summary
from tuku.search.quality import Quality
from tuku.search.query import Query
from tuku.search.query_file import Labelled
from tuku.terminal import make_console


def shown(usage: Usage) -> str:
    answered = Answered(
        Labelled(Query(text="a"), ("x",)), np.zeros(4, np.float32), (), Quality.of(["x"], ["x"]), latency_ms=1.5
    )
    stream = io.StringIO()
    make_console(stream).print(evaluation_summary([Evaluation("tuku", {"text-to-image": [answered]})], usage))
    return stream.getvalue()


def test_a_service_that_was_asked_is_billed():
    said = shown(Usage(requests=12, input_tokens=1_340, cost=0.25))
    assert said.splitlines()[-1].rstrip() == "encoding the queries took 12 requests and 1,340 tokens: CNY 0.25"


def test_a_model_that_runs_here_costs_nothing_worth_saying():
    assert "encoding" not in shown(Usage())
