from __future__ import annotations

import pytest
from dashscope.utils.oss_utils import check_and_upload_local

from tuku.providers.dashscope.text_guard import guarded


@pytest.mark.parametrize("text", ["a cat", "一只猫", "http://example.com/cat", "C:\\cat", "~cat and file://", "é"])
def test_an_ordinary_text_stays_as_it_is(text):
    assert guarded(text).strip() == text


@pytest.mark.parametrize("text", ["cat", "file:///etc/hostname", "/etc/hostname", "~", "~/cat", "~root", "oss://cat"])
def test_the_sdk_sends_what_is_guarded_as_it_is(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("cat", " cat"):  # one blank is not enough here
        (tmp_path / name).write_text("secret")
    uploads, sent, _ = check_and_upload_local("model", guarded(text), "key")
    assert (uploads, sent, sent.strip()) == (False, guarded(text), text)


@pytest.mark.parametrize(("text", "sent"), [("", "。"), (" \n", "。"), ("cat \ud83d", "cat ?")])
def test_what_cannot_be_sent_is_replaced(text, sent):
    assert guarded(text) == sent
