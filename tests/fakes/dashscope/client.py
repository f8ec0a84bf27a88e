"""Requests to DashScope by hand, for tests that want to see exactly what comes back."""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

CAPTION = "/services/aigc/multimodal-generation/generation"
EMBED = "/services/embeddings/multimodal-embedding/multimodal-embedding"
RERANK = "/services/rerank/text-rerank/text-rerank"
PROMPT = "请用不超过50个汉字描述图片，然后给出5个关键词。"


@dataclass(frozen=True)
class Reply:
    """What came back; `json` raises `ValueError` if it is none."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        code: str = self.json["code"]
        return code


def post(url: str, body: Any, key: str = "sk-local", timeout_s: float = 10) -> Reply:
    """POST `body`, as JSON unless it is bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, content, headers), timeout=timeout_s) as response:
            return Reply(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read(), dict(error.headers))


def jpeg(colour: tuple[int, int, int] = (255, 0, 0), width: int = 64, height: int = 48) -> bytes:
    """A picture of one RGB colour."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "JPEG")
    return file.getvalue()


def uri(content: bytes) -> str:
    """A file as a data URI."""
    return "data:image/jpeg;base64," + base64.b64encode(content).decode()


def caption_body(content: bytes, prompt: str = PROMPT, model: str = "qwen-vl-plus") -> dict[str, Any]:
    """A request for one caption."""
    message = {"role": "user", "content": [{"image": uri(content)}, {"text": prompt}]}
    return {"model": model, "parameters": {}, "input": {"messages": [message]}}


def embed_body(*contents: dict[str, Any], model: str = "qwen3-vl-embedding", **parameters: Any) -> dict[str, Any]:
    """A request for vectors."""
    return {"model": model, "parameters": parameters, "input": {"contents": list(contents)}}
