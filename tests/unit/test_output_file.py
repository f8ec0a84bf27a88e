"""Files that people ask for by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuku.errors import ConfigError
from tuku.output_file import require_output, write_output


def test_a_link_is_followed(tmp_path: Path):
    target, link = tmp_path / "there" / "page.html", tmp_path / "link.html"
    target.parent.mkdir()
    link.symlink_to(target)
    for content in (b"one", b"two"):
        write_output(link, content)
        assert (link.is_symlink(), target.read_bytes()) == (True, content)


def test_a_pipe_is_not_replaced(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path):
        with pytest.raises(ConfigError, match="is a folder, device or pipe"):
            write_output(path, b"x")
    assert pipe.is_fifo()


def test_what_cannot_be_written_says_so_without_a_word_of_the_lake(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"page\.html cannot be written: ") as error:
        write_output(tmp_path / "file" / "page.html", b"x")
    assert "lake" not in str(error.value)


def test_what_is_read_is_not_overwritten(tmp_path: Path):
    (tmp_path / "queries.jsonl").write_text("{}")
    with pytest.raises(ConfigError, match="would be overwritten"):
        require_output(tmp_path / "x" / ".." / "queries.jsonl", tmp_path / "queries.jsonl")
