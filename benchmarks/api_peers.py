"""What one writes by hand against DashScope: the peers of `api_quota.py`.

python benchmarks/api_peers.py CATALOGUE
"""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import sys
import time
from pathlib import Path

CAPTIONER, EMBEDDER = "qwen3-vl-flash", "tongyi-embedding-vision-plus"

_PROMPT = "请用不超过50个字描述这张图片,再给出5个关键词。"
_AT_A_TIME = 256


async def describe_many_at_a_time(catalogue: Path) -> None:
    """Many images at a time, each captioned, then embedded with its caption: asyncio, the SDK, one process."""
    import aiohttp
    from dashscope import AioMultiModalConversation, AioMultiModalEmbedding

    places = asyncio.Semaphore(_AT_A_TIME)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def describe(path: Path) -> None:
            async with places:
                image = await asyncio.to_thread(_shrunk, path)
                answer = await AioMultiModalConversation.call(
                    model=CAPTIONER, messages=_messages(image), session=session
                )
                text = answer.output.choices[0].message.content[0]["text"]
                await AioMultiModalEmbedding.call(
                    model=EMBEDDER, input=[{"image": image}, {"text": text}], session=session
                )

        await asyncio.gather(*[describe(path) for path in _paths(catalogue)])


def seconds_an_image_one_after_the_other(catalogue: Path) -> float:
    """How long the reference article's loop takes for an image: one after the other, and a second of sleep."""
    from dashscope import MultiModalConversation, MultiModalEmbedding

    paths = _paths(catalogue)
    began = time.monotonic()
    for path in paths:
        image = _data_url(path.read_bytes())
        answer = MultiModalConversation.call(model=CAPTIONER, messages=_messages(image))
        text = answer.output.choices[0].message.content[0]["text"]
        MultiModalEmbedding.call(model=EMBEDDER, input=[{"image": image}])
        MultiModalEmbedding.call(model=EMBEDDER, input=[{"text": text}])
        time.sleep(1)
    return (time.monotonic() - began) / len(paths)


def _paths(catalogue: Path) -> list[Path]:
    return [catalogue.parent / row["uri"] for row in csv.DictReader(catalogue.open(encoding="utf-8"))]


def _messages(image: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"image": image}, {"text": _PROMPT}]}]


def _shrunk(path: Path) -> str:
    from PIL import Image

    image: Image.Image = Image.open(path)
    image.draft("RGB", (448, 448))
    image = image.convert("RGB")
    image.thumbnail((448, 448))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=85)
    return _data_url(out.getvalue())


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


if __name__ == "__main__":
    asyncio.run(describe_many_at_a_time(Path(sys.argv[1])))
