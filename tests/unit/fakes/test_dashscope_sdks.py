"""The real SDKs on the local DashScope, unchanged."""

from __future__ import annotations

import asyncio

import aiohttp
import dashscope
import numpy as np
import openai
import pytest

from fakes.dashscope.client import PROMPT, jpeg, uri

RED, BLUE = jpeg((250, 10, 10)), jpeg((10, 10, 250))
KEY = "sk-local"


def messages(picture, prompt=PROMPT):
    return [
        {"role": "system", "content": [{"text": "You are a helpful assistant."}]},
        {"role": "user", "content": [{"image": uri(picture)}, {"text": prompt}]},
    ]


def on_a_session(call):
    async def run():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as session:
            return await call(session)

    return asyncio.run(run())


def test_captions_by_the_synchronous_sdk(server):
    answer = dashscope.MultiModalConversation.call(
        model="qwen-vl-plus", messages=messages(RED), api_key=KEY, base_address=server.base_url
    )
    assert answer.status_code == 200
    description, keywords = answer.output.choices[0].message.content[0]["text"].split("\n")
    assert "红色" in description
    assert len(description) <= 50
    assert len(keywords.split("，")) == 5
    assert answer.output.choices[0].finish_reason == "stop"
    assert answer.usage["image_tokens"] == 3 * 2 + 2  # 64 × 48 px in patches of 28
    assert answer.usage["input_tokens"] > answer.usage["image_tokens"]


def test_captions_by_the_asynchronous_sdk_over_one_session(server):
    async def ask(session):
        calls = [
            dashscope.AioMultiModalConversation.call(
                model="qwen3-vl-flash",
                messages=messages(picture),
                api_key=KEY,
                base_address=server.base_url,
                session=session,
                enable_thinking=False,
            )
            for picture in (RED, BLUE)
        ]
        return await asyncio.gather(*calls)

    texts = [answer.output.choices[0].message.content[0]["text"] for answer in on_a_session(ask)]
    assert ["红色" in texts[0], "蓝色" in texts[1]] == [True, True]


def test_an_error_is_a_response_with_code_and_status(server):
    answer = dashscope.MultiModalConversation.call(
        model="qwen-vl-plus", messages=messages(RED), api_key="sk-wrong", base_address=server.base_url
    )
    assert (answer.status_code, answer.code) == (401, "InvalidApiKey")


def test_embeddings_by_both_sdks_lie_where_their_colours_are(server):
    async def ask(session):
        contents = [{"image": uri(RED)}, {"text": "一只红色的狗"}, {"text": "a blue dog"}]
        return await dashscope.AioMultiModalEmbedding.call(
            model="qwen3-vl-embedding",
            input=contents,
            api_key=KEY,
            base_address=server.base_url,
            session=session,
            dimension=1024,
        )

    answer = on_a_session(ask)
    assert [entry["index"] for entry in answer.output["embeddings"]] == [0, 1, 2]
    red, red_text, blue_text = np.array([entry["embedding"] for entry in answer.output["embeddings"]])
    assert red.shape == (1024,)
    assert np.linalg.norm(red) == pytest.approx(1)
    assert red @ red_text > 0.98
    assert red @ blue_text < 0.2
    again = dashscope.MultiModalEmbedding.call(
        model="multimodal-embedding-v1", input=[{"image": uri(RED)}], api_key=KEY, base_address=server.base_url
    )
    assert again.output["embeddings"][0]["embedding"] == red.tolist()
    assert again.usage["image_count"] == 1


def test_reranking_puts_the_nearest_first(server):
    answer = dashscope.TextReRank.call(
        model="qwen3-vl-rerank",
        query="something green",
        documents=["a red thing", {"image": uri(jpeg((0, 250, 0)))}, "a green thing"],
        top_n=2,
        return_documents=True,
        api_key=KEY,
        base_address=server.base_url,
    )
    assert sorted(result.index for result in answer.output.results) == [1, 2]
    scores = [result.relevance_score for result in answer.output.results]
    assert 1 >= scores[0] >= scores[1] > 0.9
    assert [result["document"] for result in answer.output.results if result.index == 2] == [{"text": "a green thing"}]


def compatible_messages(picture):
    parts = [
        {"type": "image_url", "image_url": {"url": uri(picture)}},
        {"type": "text", "text": "Describe the picture."},
    ]
    return [{"role": "user", "content": parts}]


def test_captions_by_the_openai_sdk(server):
    client = openai.OpenAI(base_url=server.compatible_url, api_key=KEY, max_retries=0)
    answer = client.chat.completions.create(model="qwen3-vl-plus", messages=compatible_messages(BLUE))
    assert answer.choices[0].message.content.startswith("A blue picture")
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens > 0


def test_errors_by_the_openai_sdk(server):
    client = openai.OpenAI(base_url=server.compatible_url, api_key=KEY, max_retries=0)
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt", messages=compatible_messages(RED))
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").chat.completions.create(
            model="qwen3-vl-plus", messages=compatible_messages(RED)
        )
    server.configure(limits={"requests_per_min": 1})
    client.chat.completions.create(model="qwen3-vl-plus", messages=compatible_messages(RED))
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(model="qwen3-vl-plus", messages=compatible_messages(RED))
    assert refused.value.code == "limit_requests"
