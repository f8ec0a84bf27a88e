from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from fakes.reports import full_report
from tuku.report import ApiUse, Check, QuotaUse, Rows, VerifySummary
from tuku.report_html import ErrorExample, Tile, render_report

HOSTILE = "<script>alert(1)</script>\" onerror='x' {{ 7*7 }} & \u202egpj.exe \x00 \udcff"


class _Page(HTMLParser):
    """Every element with its attributes, and the text between."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def tile(**changes):
    values = {
        "image_jpeg": b"\xff\xd8jpeg",
        "caption": "一只猫",
        "keywords": ["猫"],
        "uri": "/图/猫.jpg",
        "image_id": "1",
    }
    return Tile(**(values | changes))


def test_the_page_shows_every_part():
    report = full_report(warnings=("3 images are not in the manifest.",))
    html = render_report(report, [tile()], {"http_404": [ErrorExample("https://a.b/图.jpg", "404 Not Found", 1234)]})
    text = _Page(html).text
    for part in ("47 images ingested", "2025-11-21 05:49:12", "25.0 rows/s", "https://a.b/图.jpg", "404 Not Found"):
        assert part in text
    for part in ("1,234", "CNY 1.25", "tuku_1", "row count", "一只猫", "/图/猫.jpg", "/lake/runs/run-1/report.html"):
        assert part in text
    assert "3 images are not in the manifest." in text
    assert "truncated" in text  # a code without examples is listed too


def test_the_page_stands_alone():
    page = _Page(render_report(full_report(), [tile()], {}))
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.elements:
        assert not {"style", "href", "srcset"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.all("img"))
    assert base64.b64decode(page.all("img")[0]["src"].split(",")[1]) == b"\xff\xd8jpeg"


def test_the_policy_allows_this_style_sheet_and_nothing_else():
    html = render_report(full_report(), [], {})
    [policy] = [meta["content"] for meta in _Page(html).all("meta") if meta.get("http-equiv")]
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "url(" not in style
    assert "@import" not in style


def test_everything_is_escaped():
    report = full_report(
        status="failed",
        exit_code=4,
        message=HOSTILE,
        warnings=(HOSTILE,),
        errors={HOSTILE: 1},
        paths={HOSTILE: HOSTILE},
        verify=VerifySummary(passed=False, checks=(Check(name=HOSTILE, expected=HOSTILE, actual=1, passed=False),)),
    )
    tiles = [tile(caption=HOSTILE, keywords=[HOSTILE], uri=HOSTILE, image_id=HOSTILE)]
    html = render_report(report, tiles, {HOSTILE: [ErrorExample(HOSTILE, HOSTILE, 1)]})
    page = _Page(html)
    assert not page.all("script")
    assert all("onerror" not in attributes for _, attributes in page.elements)
    assert "{{ 7*7 }}" in page.text
    assert not {"\u202e", "\x00"} & set(html)
    html.encode("utf-8")  # no half surrogate pair is left


@pytest.mark.parametrize("missing", [{"caption": None, "keywords": None}, {"caption": "", "keywords": []}])
def test_a_catalogue_without_captions_has_a_gallery(missing):
    page = _Page(render_report(full_report(), [tile(**missing)], {}))
    assert page.all("img")[0]["alt"] == ""
    assert "None" not in page.text


def test_a_run_that_did_nothing_can_be_shown():
    report = full_report(rows=Rows(), errors={}, api={}, stages={}, load=None, verify=None, paths={})
    html = render_report(report, [], {"timeout": [ErrorExample(None, None, None)]})
    assert "nothing changed" in html
    assert "timeout" in html


def test_bars_are_in_proportion():
    bars = [
        element["width"]
        for element in _Page(render_report(full_report(), [], {})).all("rect")
        if element.get("rx") == "4"
    ]
    assert bars == ["50.00%", "100.00%"]


def quota(**changes):
    values = {"requests": (20, 20), "throttled": (0, 3), "tokens": (0, 0), "requests_per_min": 1_200}
    return QuotaUse(**(values | changes))


def test_the_use_of_the_quota_is_drawn_against_its_limit():
    html = render_report(full_report(quota={"caption": quota()}), [], {})
    page = _Page(html)
    bars = [element for element in page.all("rect") if element.get("class") == "sent"]
    assert [bar["width"] for bar in bars] == ["42.50%", "42.50%"]
    assert [bar["y"] for bar in bars] == ["20.00%", "32.00%"]
    [line] = [element for element in page.all("line") if element["class"] == "limit"]
    assert line["y1"] == line["y2"] == "20.00%"
    for part in ("requests a minute", "limit 1,200", "throttled 3", "2.0 s", "1,500", "100% of the limit"):
        assert part in page.text
    [drawing] = [element for element in page.all("svg") if element.get("aria-label", "").startswith("caption:")]
    assert drawing["role"] == "img"
    assert not any("style" in attributes for _, attributes in page.elements)


def test_a_run_that_asked_no_service_has_no_chart():
    assert "Use of the quotas" not in render_report(full_report(), [], {})


def test_a_stage_of_an_evil_name_is_escaped_in_its_chart():
    page = _Page(render_report(full_report(quota={HOSTILE: quota()}), [], {}))
    assert not page.all("script")
    assert all("onerror" not in attributes for _, attributes in page.elements)


def test_the_bill_has_a_total():
    uses = {"caption": ApiUse(requests=50, cost=1.25), "embed": ApiUse(requests=10, cost=0.5)}
    assert "In all: CNY 1.75, for 60 requests." in _Page(render_report(full_report(api=uses), [], {})).text


def test_no_credentials_and_no_signatures_are_passed_on():
    uri = "https://user:hunter2@a.b/图.jpg?Signature=hunter2#hunter2"
    html = render_report(full_report(), [tile(uri=uri)], {"http_404": [ErrorExample(uri, "404", 1)]})
    assert "hunter2" not in html
    assert _Page(html).text.count("https://a.b/图.jpg") == 2
