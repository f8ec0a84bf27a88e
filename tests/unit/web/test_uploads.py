"""Large bodies: so many at once."""

from __future__ import annotations

import asyncio

import pytest
from starlette.datastructures import Headers

from tuku.web.problems import RefusedError
from tuku.web.uploads import Uploads

LARGE, SMALL = Headers({"content-length": "1000000"}), Headers({"content-length": "100"})


def test_only_so_many_are_in_memory_and_others_wait_their_turn():
    async def go() -> None:
        uploads, inside, most = Uploads(2, 3, 5.0), 0, 0

        async def upload() -> None:
            nonlocal inside, most
            async with uploads.place(LARGE):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0.01)
                inside -= 1

        tasks = [asyncio.create_task(upload()) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(RefusedError) as refused:
            await upload()
        assert (refused.value.status, refused.value.retry_after_s) == (503, 2)
        async with uploads.place(SMALL):
            pass
        await asyncio.gather(*tasks)
        assert most == 2

    asyncio.run(go())


def test_a_body_of_unknown_length_takes_a_place():
    async def go() -> None:
        uploads = Uploads(1, 1, 0.02)
        async with uploads.place(Headers({"transfer-encoding": "chunked"})):
            with pytest.raises(RefusedError):
                async with uploads.place(LARGE):
                    pytest.fail("let in")
        async with uploads.place(LARGE):
            pass

    asyncio.run(go())
