from __future__ import annotations

import io
import json
import socket
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fakes.dashscope import Faults, Latency
from fakes.dashscope.captions import FORMS
from fakes.dashscope.client import CAPTION, EMBED, PROMPT, caption_body, embed_body, jpeg, post, uri

MODEL = "qwen-vl-plus"
RED = jpeg((250, 0, 0))


def ask(server, picture=RED, prompt=PROMPT):
    return post(server.base_url + CAPTION, caption_body(picture, prompt))


def text(server, prompt=PROMPT):
    return ask(server, RED, prompt).json["output"]["choices"][0]["message"]["content"][0]["text"]


def test_everything_that_happens_is_counted(server):
    server.configure(latency=Latency(median_s=0.5), limits={"requests_per_min": 60, "burst_s": 3})
    with ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda shade: ask(server, jpeg((shade, 0, 0))), (0, 80, 160, 240)))
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 429]
    counters = server.counters()
    page = counters["models"][MODEL]
    assert (page["requests"], page["accepted"], page["answered"]) == (4, 3, 3)
    assert page["refused"] == {"Throttling.RateQuota": 1}
    assert (page["in_flight"], page["in_flight_peak"]) == (0, 3)
    assert page["peaks"]["arriving"] == {"in_1_s": 4, "in_60_s": 4}
    assert page["peaks"]["accepted"] == {"in_1_s": 3, "in_60_s": 3}
    assert page["peaks"]["tokens"]["in_60_s"] == sum(page["usage"].values())
    assert sum(page["timeline"]["accepted"]) == 3
    assert sum(page["timeline"]["refused"]) == 1
    assert counters["sockets"] == 4  # one each: urllib keeps none; asking for this page is not counted


def test_usage_adds_up_to_what_the_answers_said(server):
    usages = [ask(server, jpeg((shade, 0, 0))).json["usage"] for shade in (0, 200)]
    assert server.counters()["models"][MODEL]["usage"] == {
        "input_tokens": sum(usage["input_tokens"] for usage in usages),
        "output_tokens": sum(usage["output_tokens"] for usage in usages),
    }


def test_an_item_asked_again_after_an_intact_answer_is_found_out(server):
    ask(server)
    server.configure(faults=Faults(internal_error=1.0))
    ask(server, jpeg((0, 0, 250)))
    server.configure(faults=Faults())
    ask(server, jpeg((0, 0, 250)))  # again, but the first had failed
    items = server.counters()["models"][MODEL]["items"]
    assert (items["distinct"], items["answered"], items["accepted_after_an_intact_answer"]) == (2, 2, 0)
    ask(server)
    items = server.counters()["models"][MODEL]["items"]
    assert (items["answered_more_than_once"], items["accepted_after_an_intact_answer"]) == (1, 1)
    assert len(items["examples"]) == 1


def test_an_answer_that_nobody_waited_for_is_paid_but_not_intact(server):
    server.configure(latency=Latency(median_s=0.5))
    with pytest.raises((TimeoutError, socket.timeout, urllib.error.URLError)):
        post(server.base_url + CAPTION, caption_body(RED), timeout_s=0.2)
    time.sleep(0.6)
    page = server.counters()["models"][MODEL]
    assert (page["answered"], page["items"]["answered"], page["failed"]) == (0, 0, {"client_gone": 1})
    assert page["usage"]["output_tokens"] > 0
    server.configure(latency=Latency())
    ask(server)
    assert server.counters()["models"][MODEL]["items"]["accepted_after_an_intact_answer"] == 0


def test_items_of_one_request_count_for_themselves(server):
    post(server.base_url + EMBED, embed_body({"text": "a"}, {"text": "b"}))
    post(server.base_url + EMBED, embed_body({"text": "b"}, {"text": "c"}, {"image": uri(RED)}))
    items = server.counters()["models"]["qwen3-vl-embedding"]["items"]
    assert (items["distinct"], items["answered"], items["accepted_after_an_intact_answer"]) == (4, 4, 1)


def test_a_reset_forgets_the_counters_and_keeps_the_settings(server):
    server.configure(faults=Faults(internal_error=1.0))
    ask(server)
    server.reset()
    assert server.counters()["models"] == {}
    assert ask(server).status == 500


@pytest.mark.parametrize("changes", [{"limit": {}}, {"limits": {"rpm": 3}}, {"faults": {"hang": 2}}, {"fatal": "x"}])
def test_settings_that_cannot_be_are_refused_and_change_nothing(server, changes):
    with pytest.raises(ValueError, match=r"limit|faults|fatal"):
        server.configure(**changes)
    assert ask(server).status == 200


def test_a_part_is_changed_only_where_it_is_named(server):
    server.configure(faults={"internal_error": 1.0})
    server.configure(faults={"shuffled": 1.0})
    assert ask(server).status == 500


def test_the_prompt_decides_the_form(server):
    assert text(server) == "画面以红色为主，色调均匀，构图简洁。\n红色，图片，色彩，背景，简洁"
    assert text(server, "Describe it.").startswith("A red picture, plain and even in tone.\nKeywords: red, ")
    assert json.loads(text(server, "请以 JSON 回答"))["keywords"][0] == "红色"


def test_every_form_says_the_same(server):
    forms = {}
    for form in FORMS:
        server.configure(caption_form=form)
        forms[form] = text(server)
    assert len(set(forms.values())) == len(FORMS)
    assert "关键词：红色" in forms["keyword_line"]
    assert "\n1. 红色\n" in forms["numbered"]
    assert json.loads(forms["fenced_json"].removeprefix("```json").removesuffix("```")) == json.loads(forms["json"])
    server.configure(caption_form="by_seed")
    assert len({text(server) for _ in range(30)}) == len(FORMS)


def test_every_shape_of_usage(server):
    shapes = {}
    for shape in ("split", "details", "total", "missing"):
        server.configure(usage_shape=shape)
        shapes[shape] = ask(server).json.get("usage")
        embedded = post(server.base_url + EMBED, embed_body({"image": uri(RED)})).json
        assert ("usage" in embedded) == (shape != "missing")
    total = shapes["split"]["input_tokens"] + shapes["split"]["output_tokens"]
    assert shapes["total"] == {"total_tokens": total}
    assert shapes["details"]["input_tokens_details"]["image_tokens"] == shapes["split"]["image_tokens"]
    assert shapes["missing"] is None


def test_fixed_answers_do_not_look_at_the_picture(server):
    server.configure(answers="fixed")
    noise = _noise()
    assert ask(server, noise[: len(noise) // 2]).status == 200
    assert "灰色" in text(server)


def test_numbered_answers_describe_no_two_pictures_alike(server):
    server.configure(answers="numbered")
    first, second = jpeg((255, 0, 0)), jpeg((230, 0, 0))
    assert ask(server, first).json["output"] == ask(server, first).json["output"] != ask(server, second).json["output"]
    assert "红色" in text(server)


def test_local_models_behind_the_vendors_names(server):
    server.configure(answers="models")
    assert text(server, "Describe it.").partition("\n")[0]
    contents = [{"text": "a cat"}, {"text": "a small cat"}, {"text": "a lorry"}, {"image": uri(RED)}]
    embeddings = post(server.base_url + EMBED, embed_body(*contents, dimension=1024)).json["output"]["embeddings"]
    cat, kitten, lorry, picture = (entry["embedding"] for entry in embeddings)
    assert {len(cat), len(picture)} == {1024}
    assert _dot(cat, kitten) > _dot(cat, lorry) + 0.2
    assert _dot(picture, picture) == pytest.approx(1, abs=1e-3)


def _dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_caption_request_is_cheap(server):
    """The load tests share two cores with this server."""
    noise = _noise()
    for _ in range(60):
        assert ask(server, noise).status == 200
    assert server.counters()["cpu_s"] / 60 < 0.006  # 0.002 on an idle machine, a new connection for each included


def _noise():
    small = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(small).resize((448, 336), Image.Resampling.BICUBIC).save(file, "JPEG", quality=85)
    return file.getvalue()


def test_of_every_item_it_is_known_when_it_came_and_when_its_answer_had_gone_out(server):
    server.configure(latency=Latency(median_s=0.5))
    began = time.monotonic()
    with pytest.raises((TimeoutError, socket.timeout, urllib.error.URLError)):
        post(server.base_url + CAPTION, caption_body(RED), timeout_s=0.2)
    gave_up = time.monotonic()
    ask(server)
    (item,) = server.items()[MODEL]
    first, second = item["accepted_s"]
    (intact,) = item["intact_s"]
    assert began <= first <= gave_up <= second <= intact <= time.monotonic()
