from __future__ import annotations

import importlib.util
import logging

import pytest

from tuku import fonts
from tuku.errors import ConfigError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv(fonts.ENVIRONMENT, raising=False)
    fonts._font_file.cache_clear()
    yield
    fonts._font_file.cache_clear()


def test_the_bundled_font_draws_chinese():
    pytest.importorskip("pylopdf_fonts_zh_cn")
    font = fonts.find_font(20)
    assert font.getname()[0].startswith("Noto Sans SC")
    assert font.getmask("狗").getbbox() != font.getmask("\U000f0000").getbbox()


def test_a_named_font_comes_first(monkeypatch, tmp_path):
    package = importlib.util.find_spec("pylopdf_fonts_zh_cn")
    if package is None:
        pytest.skip("no font to copy")
    font = tmp_path / "字体.otf"
    font.write_bytes(package.loader.get_data(package.origin.replace("__init__.py", fonts._PACKAGE_FILE)))
    monkeypatch.setenv(fonts.ENVIRONMENT, str(font))
    assert fonts.find_font(12).path == str(font)


@pytest.mark.parametrize("content", [None, b"not a font"])
def test_a_named_font_that_is_none_is_refused(monkeypatch, tmp_path, content):
    font = tmp_path / "x.ttf"
    if content is not None:
        font.write_bytes(content)
    monkeypatch.setenv(fonts.ENVIRONMENT, str(font))
    with pytest.raises(ConfigError, match=r"x\.ttf cannot be read as a font") as caught:
        fonts.find_font(12)
    assert fonts.ENVIRONMENT in caught.value.remedy


def test_system_fonts_come_next(monkeypatch, tmp_path):
    font = tmp_path / "system.ttc"
    font.touch()
    monkeypatch.setattr(fonts, "_PACKAGE", "no_such_package")
    monkeypatch.setattr(fonts, "_SYSTEM_FONTS", (str(tmp_path / "absent.ttc"), str(font)))
    assert fonts._font_file(None) == str(font)


def test_without_any_it_warns_once_and_draws_anyway(monkeypatch, caplog):
    monkeypatch.setattr(fonts, "_PACKAGE", "no_such_package")
    monkeypatch.setattr(fonts, "_SYSTEM_FONTS", ())
    with caplog.at_level(logging.WARNING):
        widths = [fonts.find_font(size).getlength("abc") for size in (10, 20)]
    assert widths[1] > widths[0] > 0
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "tuku[local]" in caplog.text
