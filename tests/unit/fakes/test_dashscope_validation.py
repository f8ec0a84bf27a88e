from __future__ import annotations

import pytest

from fakes.dashscope.client import CAPTION, EMBED, RERANK, caption_body, embed_body, jpeg, post, uri

PICTURE = {"image": uri(jpeg())}
NOISE = jpeg()


def refused(server, path, body, code, status=400):
    reply = post(server.base_url + path, body)
    assert (reply.status, reply.code) == (status, code), reply.body
    assert reply.json["request_id"]
    return reply.json["message"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"not a picture", "InvalidParameter"),
        (NOISE[: len(NOISE) // 2], "InvalidParameter"),
        (jpeg(width=9), "InternalError.Algo.InvalidParameter"),
        (jpeg(width=2100, height=10), "InternalError.Algo.InvalidParameter"),
        (NOISE + bytes(8_000_000), "InvalidParameter"),
    ],
    ids=["not a picture", "cut", "too small", "too long", "too large as a data URI"],
)
def test_a_picture_that_the_model_cannot_take(server, content, code):
    refused(server, CAPTION, caption_body(content), code)


@pytest.mark.parametrize(
    "image", ["data:image/jpeg;base64,?!", "data:image/jpeg,abc", "https://example.org/a.jpg", 7, ""]
)
def test_an_image_that_is_no_data_uri(server, image):
    body = caption_body(jpeg())
    body["input"]["messages"][0]["content"][0]["image"] = image
    assert post(server.base_url + CAPTION, body).status == 400


@pytest.mark.parametrize(
    "messages",
    [[], "text", [{}], [{"role": "pope", "content": "hello"}], [{"role": "user", "content": [{"sound": "x"}]}],
     [{"role": "user", "content": []}], [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]],
)  # fmt: skip
def test_messages_of_another_shape(server, messages):
    refused(server, CAPTION, {"model": "qwen-vl-plus", "input": {"messages": messages}}, "InvalidParameter")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"{}"])
def test_a_body_of_another_shape(server, body):
    assert post(server.base_url + CAPTION, body).status in (400, 404)


@pytest.mark.parametrize("path", [CAPTION, EMBED, RERANK])
def test_a_model_that_this_endpoint_does_not_serve(server, path):
    refused(server, path, {"model": "gpt", "input": {}}, "ModelNotFound", 404)
    other = "qwen3-vl-rerank" if path == CAPTION else "qwen-vl-plus"
    refused(server, path, {"model": other, "input": {}}, "ModelNotFound", 404)


def test_an_unknown_key_is_refused_and_counted(server):
    reply = post(server.base_url + CAPTION, caption_body(jpeg()), key="sk-other")
    assert (reply.status, reply.code) == (401, "InvalidApiKey")
    assert server.counters()["rejected"] == {"InvalidApiKey": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (embed_body(*[{"text": "a"}] * 21), "takes 20"),
        (embed_body(*[{"text": "a"}] * 21, model="multimodal-embedding-v1"), "takes 20"),
        (embed_body(PICTURE, PICTURE, model="multimodal-embedding-v1"), "Too many images"),
        (embed_body({"text": "字" * 513}, model="multimodal-embedding-v1"), "512 tokens"),
        (embed_body({"text": "a"}, model="multimodal-embedding-v1", dimension=1024), "none can be chosen"),
        (embed_body({"text": "a"}, dimension=1000), "dimension 1000"),
        (embed_body({"multi_images": [PICTURE["image"]] * 9}, model="tongyi-embedding-vision-plus"), "At most 8"),
        (embed_body({"text": "a"}, {"text": "b"}, model="qwen2.5-vl-embedding"), "one item of each type"),
        (embed_body({"text": "a"}, model="tongyi-embedding-vision-flash", enable_fusion=True), "does not fuse"),
        (embed_body({"image": uri(NOISE + bytes(3_000_000))}), "3,000,000 bytes"),
        (embed_body({"text": "fine"}, {"image": uri(b"bad")}), "cannot be opened"),
        (embed_body({"text": ""}), "text"),
        (embed_body(), "contents"),
    ],
)
def test_an_embedding_request_beyond_its_models_limits(server, body, message):
    assert message in refused(server, EMBED, body, "InvalidParameter")


@pytest.mark.parametrize(
    ("model", "parameters", "dim"),
    [
        ("multimodal-embedding-v1", {}, 1024),
        ("tongyi-embedding-vision-plus", {}, 1152),
        ("tongyi-embedding-vision-flash", {}, 768),
        ("qwen3-vl-embedding", {}, 2560),
        ("qwen3-vl-embedding", {"dimension": 256}, 256),
    ],
)
def test_vectors_have_the_length_asked_for(server, model, parameters, dim):
    embeddings = post(server.base_url + EMBED, embed_body({"text": "a"}, PICTURE, model=model, **parameters)).json
    lengths = [len(entry["embedding"]) for entry in embeddings["output"]["embeddings"]]
    assert lengths == [dim, dim]


def test_what_is_fused_is_one_vector(server):
    for body in (
        embed_body({"text": "a"}, PICTURE, enable_fusion=True),
        embed_body({"text": "a"}, PICTURE, model="qwen2.5-vl-embedding"),
        embed_body({"multi_images": [PICTURE["image"]] * 8}, model="tongyi-embedding-vision-plus"),
    ):
        assert len(post(server.base_url + EMBED, body).json["output"]["embeddings"]) == 1


def test_a_rerank_request_beyond_the_models_limits(server):
    body = {"model": "qwen3-vl-rerank", "input": {"query": "a", "documents": ["b"] * 101}}
    assert "takes 100" in refused(server, RERANK, body, "InvalidParameter")
    body = {"model": "qwen3-vl-rerank", "input": {"query": "a", "documents": [PICTURE] * 41}}
    assert "takes 40" in refused(server, RERANK, body, "InvalidParameter")
