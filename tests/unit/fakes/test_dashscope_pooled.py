"""The local server's vectors of conversations, asked for by hand: what vLLM takes, in vLLM's shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fakes.dashscope.client import Reply, jpeg, post, uri

MODEL, LARGER, CLIP = "Qwen/Qwen3-VL-Embedding-2B", "Qwen/Qwen3-VL-Embedding-8B", "openai/clip-vit-base-patch32"
SHOWN = {"type": "image_url", "image_url": {"url": uri(jpeg((255, 0, 0)))}}
FLAGS = {"continue_final_message": True, "add_special_tokens": True}


def said(text: str) -> dict[str, str]:
    return {"type": "text", "text": text}


def told(*content: Any, instruction: str = "Represent it.", **changes: Any) -> dict[str, Any]:
    messages = [
        {"role": "system", "content": [said(instruction)]},
        {"role": "user", "content": list(content)},
        {"role": "assistant", "content": [said("")]},
    ]
    return {"model": MODEL, "messages": messages, **FLAGS, **changes}


def alone(*content: Any, **changes: Any) -> dict[str, Any]:
    return {"model": CLIP, "messages": [{"role": "user", "content": list(content)}], **changes}


def asked(server, body: dict[str, Any], key: str = "sk-local") -> Reply:
    return post(f"{server.compatible_url}/embeddings", body, key=key)


def vector(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    (entry,) = reply.json["data"]
    assert (entry["index"], entry["object"]) == (0, "embedding")
    return np.array(entry["embedding"])


def test_a_conversation_has_one_vector(server):
    for body, dim in (
        (told(said("a red dog")), 2048),
        (told(SHOWN), 2048),
        (told(SHOWN, said("")), 2048),
        (told(SHOWN, said("a red dog"), model=LARGER), 4096),
        (told(said("a red dog"), model=LARGER, dimensions=256), 256),
        (alone(SHOWN), 512),
        (alone(said("a red dog"), add_special_tokens=True), 512),
    ):
        found = vector(asked(server, body))
        assert found.shape == (dim,)
        assert found[0] > 0.9  # red


def test_tokens_are_those_of_the_whole_conversation(server):
    short, long = (
        asked(server, told(said("a dog"), instruction=instruction)).json["usage"]
        for instruction in ("Represent it.", "Represent it." + 40 * "x")
    )
    assert long["prompt_tokens"] - short["prompt_tokens"] == 10
    assert long["total_tokens"] == long["prompt_tokens"]
    assert server.counters()["models"][MODEL]["usage"]["input_tokens"] == short["total_tokens"] + long["total_tokens"]


ROLES_MIXED = [{"role": "user", "content": [SHOWN]}, {"role": "system", "content": "Represent it."}]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (told(said("a"), messages=[]), "'messages'"),
        (told(said("a"), messages=[{"role": "pope", "content": "a"}]), "told what to do"),
        (told(said("a"), messages=ROLES_MIXED), "told what to do"),
        (told(said("a"), instruction=""), "told what to do"),
        (told(said("a"), continue_final_message=False), "to be continued"),
        (told(said("a"), add_special_tokens=False), "to be continued"),
        (told(said("a"), add_generation_prompt=True), "Cannot set both"),
        (told(said("")), "one of each"),
        (told(said("a"), said("b")), "one of each"),
        (told({"type": "sound"}), "no type of content"),
        (told(said("a"), encoding_format="base64"), "lists of numbers"),
        (told(said("a"), dimensions=256), "does not support matryoshka representation"),
        (told(said("a"), model=LARGER, dimensions=5000), "from 1 to 4096"),
        (told(said("字" * 9_000)), "maximum context length is 8192"),
        (alone(SHOWN, said("a dog"), add_special_tokens=True), "not both"),
        (alone(said("a dog")), "a token at its end"),
        (alone(said("字" * 78), add_special_tokens=True), "maximum context length is 77"),
        (alone(said("a dog"), messages=told(said("a dog"))["messages"]), "not both"),
    ],
)
def test_a_conversation_that_is_refused(server, body, message):
    reply = asked(server, body)
    assert reply.status == 400, reply.body
    error = reply.json["error"]
    assert message in error["message"]
    assert (error["type"], error["code"]) == ("BadRequestError", 400)


def test_a_text_is_cut_where_that_is_asked_for(server):
    reply = asked(server, alone(said("字" * 500), add_special_tokens=True, truncate_prompt_tokens=-1))
    assert reply.json["usage"]["prompt_tokens"] == 77


def test_a_model_that_is_not_there_and_a_key_that_is_none(server):
    missing = asked(server, told(said("a"), model="qwen3-vl-flash"))
    assert (missing.status, missing.json["error"]["type"], missing.json["error"]["code"]) == (404, "NotFoundError", 404)
    refused = asked(server, told(said("a")), key="sk-other")
    assert (refused.status, refused.json) == (401, {"error": "Unauthorized"})


@pytest.mark.parametrize("fault", ["missing", "bad_vector"])
def test_a_vector_that_is_none_is_no_answer(server, fault):
    whole = vector(asked(server, told(said("a dog")))).tolist()
    server.reset()
    server.configure(faults={fault: 1.0})
    data = asked(server, told(said("a dog"))).json["data"]
    assert [entry["embedding"] for entry in data] != [whole]
    assert len(data) == (fault != "missing")
    assert server.counters()["models"][MODEL]["items"]["answered"] == 0
