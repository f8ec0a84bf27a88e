from __future__ import annotations

import hashlib
import json
import math
import random
import socket
import statistics
import time
import urllib.error
from http.client import IncompleteRead

import pytest

from fakes.dashscope import Fatal, Faults, Latency, Outage, Settings
from fakes.dashscope.client import CAPTION, EMBED, RERANK, caption_body, embed_body, jpeg, post
from fakes.dashscope.luck import draw_fault, draw_latency_s, is_bad
from fakes.dashscope.state import State

MODEL = "qwen-vl-plus"


def ask(server, picture=None, timeout_s=10.0):
    return post(server.base_url + CAPTION, caption_body(picture or jpeg()), timeout_s=timeout_s)


def embed(server, count=4):
    body = embed_body(*[{"text": f"text {number}"} for number in range(count)], dimension=256)
    return post(server.base_url + EMBED, body).json["output"]["embeddings"]


def only(server, fault):
    server.configure(faults=Faults(**{fault: 1.0}))


def counted(server, fault, model=MODEL):
    """That it happened, and that no item counts as answered."""
    page = server.counters()["models"][model]
    assert page["faults"] == {fault: page["accepted"]}
    return page["answered"], page["items"]["answered"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("internal_error", 500, "InternalError"), ("algo_error", 500, "InternalError.Algo"),
     ("error_inside", 200, "InternalError"), ("bad_item", 400, "DataInspectionFailed")],
)  # fmt: skip
def test_errors_with_a_code(server, fault, status, code):
    only(server, fault)
    reply = ask(server)
    assert (reply.status, reply.code) == (status, code)
    assert "output" not in reply.json
    assert counted(server, fault) == (0, 0)


def test_a_proxys_page(server):
    only(server, "unavailable_html")
    reply = ask(server)
    assert (reply.status, reply.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert counted(server, "unavailable_html") == (0, 0)


def test_json_that_is_cut(server):
    only(server, "truncated_json")
    reply = ask(server)
    assert reply.status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(reply.body)
    assert counted(server, "truncated_json") == (0, 0)


def test_a_connection_that_ends(server):
    only(server, "reset_before")
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        ask(server)
    assert counted(server, "reset_before") == (0, 0)


def test_a_connection_that_ends_in_the_middle_of_an_answer(server):
    only(server, "reset_middle")
    with pytest.raises((ConnectionError, IncompleteRead)):
        ask(server)
    assert counted(server, "reset_middle") == (0, 0)
    assert server.counters()["models"][MODEL]["usage"]["output_tokens"] > 0  # paid for all the same


def test_no_answer_ever(server):
    only(server, "hang")
    with pytest.raises((TimeoutError, socket.timeout, urllib.error.URLError)):
        ask(server, timeout_s=0.5)
    assert counted(server, "hang") == (0, 0)
    time.sleep(0.5)
    assert server.counters()["models"][MODEL]["in_flight"] == 0  # the server noticed that the client went


def test_a_byte_now_and_then_outlasts_a_timeout_of_each_read(server):
    only(server, "drip")
    start = time.monotonic()
    connection = socket.create_connection(("127.0.0.1", int(server.base_url.split(":")[2].split("/")[0])), timeout=0.6)
    body = json.dumps(caption_body(jpeg())).encode()
    head = f"POST /api/v1{CAPTION} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-local\r\nContent-Length: {len(body)}"
    with connection:
        connection.sendall(head.encode() + b"\r\n\r\n" + body)
        received = b""
        while time.monotonic() < start + 1.2:
            received += connection.recv(1000)  # raises TimeoutError if nothing comes
    assert received.rpartition(b"\r\n\r\n")[2].strip() == b""
    assert received.endswith(b"   ")


def said(server):
    output = ask(server).json["output"]["choices"][0]
    text = "".join(part["text"] for part in output["message"]["content"])
    return text, output["finish_reason"]


def test_captions_that_are_none(server):
    whole, _ = said(server)
    server.reset()
    only(server, "empty_content")
    assert said(server) == ("", "stop")
    assert counted(server, "empty_content") == (1, 0)
    only(server, "length")
    cut, reason = said(server)
    assert (whole.startswith(cut), reason) == (True, "length")
    only(server, "exclamations")
    text, _ = said(server)
    assert set(text) == {"!"}
    only(server, "refused_content")
    refusals = {said(server) for _ in range(20)}
    assert ("", "content_filter") in refusals
    assert any("抱歉" in text for text, _ in refusals)
    assert server.counters()["models"][MODEL]["items"]["answered"] == 0


def test_shuffled_embeddings_have_the_right_index(server):
    whole = embed(server)
    only(server, "shuffled")
    shuffled = embed(server)
    assert [entry["index"] for entry in shuffled] != [0, 1, 2, 3]
    assert sorted(shuffled, key=lambda entry: entry["index"]) == whole


def test_a_missing_embedding_is_no_answer_for_its_item_alone(server):
    only(server, "missing")
    assert len(embed(server)) == 3
    assert counted(server, "missing", "qwen3-vl-embedding") == (1, 3)


def test_one_vector_is_bad_in_one_of_four_ways(server):
    whole = embed(server)
    only(server, "bad_vector")
    seen = set()
    for _ in range(30):
        bad = [new["embedding"] for new, old in zip(embed(server), whole, strict=True) if new != old]
        assert len(bad) == 1
        seen.add(
            "short" if len(bad[0]) == 255
            else "null" if bad[0][0] is None
            else "nan" if math.isnan(bad[0][0])
            else "zero" if not any(bad[0]) else "?"
        )  # fmt: skip
    assert seen == {"short", "null", "nan", "zero"}


def test_bad_items_are_the_same_ones_always_and_spoil_their_request(server):
    server.configure(faults={"bad_item": 0.5})
    pictures = [jpeg((value, 0, 0)) for value in range(0, 250, 10)]
    expected = [400 if is_bad(hashlib.sha256(content).hexdigest(), 0.5) else 200 for content in pictures]
    assert [ask(server, picture).status for picture in pictures] == expected
    assert {200, 400} == set(expected)
    assert [ask(server, picture).status for picture in pictures] == expected


def test_every_fault_is_listed_at_an_endpoint_and_reranking_has_its_share(server):
    server.configure(faults=Faults.all_at(1.0))
    assert set(Faults.all_at(0.2).model_dump().values()) == {0.2}
    server.configure(faults={"hang": 0, "drip": 0, "bad_item": 0, "reset_before": 0, "reset_middle": 0})
    body = {"model": "qwen3-vl-rerank", "input": {"query": "a", "documents": ["b"]}}
    for _ in range(10):
        post(server.base_url + RERANK, body)
    kinds = set(server.counters()["models"]["qwen3-vl-rerank"]["faults"])
    assert kinds <= {"internal_error", "algo_error", "unavailable_html", "error_inside", "truncated_json"}
    assert len(kinds) > 1


@pytest.mark.parametrize(
    ("code", "status"),
    [("Arrearage", 400), ("InvalidApiKey", 401), ("AccessDenied", 403), ("AllocationQuota.FreeTierOnly", 403),
     ("PrepaidBillOverdue", 429)],
)  # fmt: skip
def test_a_fatal_code_after_so_many_requests(server, code, status):
    server.configure(fatal=Fatal(code=code, after_requests=2))
    replies = [ask(server) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, status, status]
    assert replies[3].code == code


def test_an_outage_begins_and_ends(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("fakes.dashscope.state.time.monotonic", lambda: clock[0])
    state = State(Settings())
    clock[0] = 150.0
    state.configure({"outage": {"start_s": 2.0, "seconds": 3.0}})
    seen = []
    for clock[0] in (151.9, 152.0, 154.9, 155.0):
        seen.append(state.outage)
    assert seen == [None, "503", "503", None]


def test_nobody_is_served_in_an_outage(server):
    server.configure(outage=Outage(seconds=60))
    reply = ask(server)
    assert (reply.status, reply.code) == (503, "ModelUnavailable")
    assert server.counters()["models"][MODEL]["refused"] == {"ModelUnavailable": 1}
    server.configure(outage=None)
    assert ask(server).status == 200


def test_an_outage_that_closes_connections(server):
    server.configure(outage=Outage(seconds=60, how="close"))
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        ask(server)


def test_the_same_seed_brings_the_same_luck_in_any_order(server):
    server.configure(faults=Faults(internal_error=0.5), seed=3)
    pictures = [jpeg((0, value, 0)) for value in range(0, 250, 10)]
    first = [ask(server, picture).status for picture in pictures]
    second_try = [ask(server, picture).status for picture in pictures]
    server.reset()
    assert [ask(server, picture).status for picture in reversed(pictures)][::-1] == first
    assert {200, 500} == set(first)
    assert second_try != first
    server.reset()
    server.configure(seed=4)
    assert [ask(server, picture).status for picture in pictures] != first


def test_faults_come_as_often_as_they_should():
    dice = random.Random(1)
    faults = Faults(hang=0.05, drip=0.2)
    drawn = [draw_fault(faults, ("hang", "drip", "length"), dice) for _ in range(10_000)]
    assert drawn.count("drip") / 10_000 == pytest.approx(0.195, abs=0.015)
    assert drawn.count("hang") / 10_000 == pytest.approx(0.045, abs=0.01)
    assert "length" not in drawn


def test_latency_has_its_median_and_its_99th_percentile():
    dice = random.Random(1)
    latency = Latency(median_s=1.5, p99_s=8.0)
    drawn = sorted(draw_latency_s(latency, dice) for _ in range(20_000))
    assert statistics.median(drawn) == pytest.approx(1.5, rel=0.05)
    assert drawn[19_800] == pytest.approx(8.0, rel=0.1)
    assert draw_latency_s(Latency(median_s=0.7), dice) == 0.7


def test_an_answer_takes_as_long_as_it_is_told(server):
    server.configure(latency=Latency(median_s=0.3))
    start = time.monotonic()
    assert ask(server).status == 200
    assert 0.3 <= time.monotonic() - start < 1.5
