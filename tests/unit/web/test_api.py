"""The JSON API: every way to ask, and what is said of what cannot be answered."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
from PIL import Image

from fakes.catalogue import HOSTILE, FakeCatalogue
from fakes.files import png
from fakes.models import COLOURS
from tuku.errors import MilvusError, RowError, StoppedError, VectorSpaceError
from tuku.runtime.serving import OutOfServiceError
from tuku.search.encode import RefusedQueryError
from tuku.search.results import Result
from unit.web.conftest import serving

BLUE = png(COLOURS["blue"], 64)


def ids(answer) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["results"]]


def problem(answer, status: int, code: str) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["status"], said["code"]) == (status, code)
    assert said["detail"]
    assert said["remedy"]
    assert "Traceback" not in answer.text
    assert "/srv" not in answer.text
    return said


def test_a_text_is_searched_by_url_and_by_json(client):
    by_url = client.get("/api/v1/search", params={"text": "blue", "limit": 2})
    by_json = client.post("/api/v1/search", json={"text": "blue", "limit": 2})
    assert ids(by_url)[0] == "blue"
    assert [each["score"] for each in by_url.json()["results"]] == [each["score"] for each in by_json.json()["results"]]
    whole = by_json.json()
    assert set(whole) == {"query", "results", "reranked", "timings_ms", "notes"}
    assert (whole["query"]["text"], whole["query"]["in"], whole["query"]["limit"]) == ("blue", "image", 2)
    assert set(whole["results"][0]) == {"id", "score", "scores", "uri", "caption", "keywords", "metadata", "reason"}
    assert by_url.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "asked",
    [
        {"json": {"image": base64.b64encode(BLUE).decode()}},
        {"json": {"image": "data:image/png;base64," + base64.b64encode(BLUE).decode()}},
        {"files": {"image": ("../../etc/passwd", BLUE, "image/png")}},
        {"content": BLUE, "headers": {"Content-Type": "image/png"}},
    ],
    ids=["base64", "data", "form", "body"],
)
def test_a_picture_is_searched_however_it_comes(client, asked):
    answer = client.post("/api/v1/search", **asked)
    assert ids(answer)[0] == "blue"
    assert answer.json()["query"]["image"] == "(given as bytes)"
    assert answer.json()["query"]["image_sha256"] == hashlib.sha256(BLUE).hexdigest()


def test_a_form_has_everything():
    catalogue = FakeCatalogue()
    with serving(catalogue) as client:
        fields = {"text": "red", "in": "both", "where": "price <= 30", "limit": "2", "offset": "1", "rerank": "false"}
        fields |= {"boosts": json.dumps({"price > 20": 9.0}), "group_by": "price", "min_score": "-1"}
        answer = client.post("/api/v1/search", data=fields, files={"image": ("x.png", BLUE, "image/png")})
    assert len(ids(answer)) == 2
    [query] = catalogue.asked
    assert (query.text, query.image, query.target, query.where) == ("red", BLUE, "both", "price <= 30")
    assert (query.limit, query.offset, query.min_score, query.group_by) == (2, 1, -1.0, "price")
    assert query.boosts == {"price > 20": 9.0}


def test_more_like_this_leaves_the_path_out(client):
    answer = client.get("/api/v1/images/red/similar", params={"limit": 3, "where": "price > 1"})
    assert "red" not in ids(answer)
    assert (answer.json()["query"]["like"], answer.json()["query"]["image"]) == ("red", None)
    assert "/srv" not in answer.text
    problem(client.get("/api/v1/images/nobody/similar"), 404, "no_image")


def test_details_and_some_images(client):
    found = client.get("/api/v1/images/red").json()
    assert (found["id"], found["uri"], found["metadata"]) == ("red", "red.png", {"price": 10})
    assert ids(client.get("/api/v1/images", params={"limit": 2})) == ["red", "green"]
    assert ids(client.get("/api/v1/images", params={"limit": 2, "where": "price > 30"})) == ["yellow", "grey"]
    problem(client.get("/api/v1/images", params={"where": "price <"}), 400, "bad_filter")
    problem(client.get("/api/v1/images", params={"where": "uri like '/srv%'"}), 422, "hidden_field")


def test_paths_are_shown_where_the_operator_says_so():
    with serving(local_paths=True) as client:
        assert client.get("/api/v1/images/red").json()["uri"] == "/srv/secret/red.png"


def test_addresses_are_shown_without_what_opens_them():
    image = Result("x", 0.1, uri="https://user:pass@host/a/b.jpg?Signature=s3cret#f", caption="red")
    with serving(FakeCatalogue(images=[image])) as client:
        assert client.get("/api/v1/images/x").json()["uri"] == "https://host/a/b.jpg"


def test_fields_are_what_filters_can_be_made_of():
    images = [
        Result(str(n), 0.0, uri="/x.png", caption="red", metadata={"price": n, "brand": "AB"[n % 2], "new": n > 2})
        for n in range(5)
    ]
    with serving(FakeCatalogue(images=images)) as client:
        answer = client.get("/api/v1/fields").json()
    about = {each["name"]: each for each in answer["fields"]}
    assert (about["price"]["least"], about["price"]["most"], about["price"]["kinds"]) == (0, 4, ["number"])
    assert about["brand"]["values"] == [{"value": "A", "count": 3}, {"value": "B", "count": 2}]
    assert about["new"]["kinds"] == ["bool"]
    assert about["new"]["values"][0] == {"value": False, "count": 3}
    assert not {"id", "origin"} & set(about)
    assert (answer["vectors"], answer["rerank"]) == (["image", "text"], False)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"text": "x", "where": "price <"}, 400, "bad_filter"),
        ({"text": "x", "where": "colour == 'red'"}, 400, "bad_query"),
        ({"text": "x", "rerank": True}, 400, "bad_query"),
        ({"text": "x", "boosts": {"price > 1": -2}}, 400, "bad_query"),
        ({}, 400, "bad_query"),
        ({"text": "  "}, 400, "bad_query"),
        ({"text": "x" * 2001}, 422, "invalid"),
        ({"text": "x", "where": "p" * 4001}, 422, "invalid"),
        ({"text": "x", "limit": 201}, 422, "invalid"),
        ({"text": "x", "limit": 0}, 422, "invalid"),
        ({"text": "x", "offset": 10_001}, 422, "invalid"),
        ({"text": "x", "in": "vectors"}, 422, "invalid"),
        ({"text": "x", "surprise": 1}, 422, "invalid"),
        ({"text": ["x"]}, 422, "invalid"),
        ({"image": "not base64!"}, 422, "invalid"),
        ({"image": base64.b64encode(b"#!/bin/sh").decode()}, 422, "not_an_image"),
        ({"image": base64.b64encode(BLUE[:60]).decode()}, 422, "truncated"),
        ({"image": "https://example.com/x.png"}, 422, "no_urls"),
        ({"image": "file:///etc/passwd"}, 422, "invalid"),
        ({"image": "/etc/passwd"}, 422, "invalid"),
        ({"image": "../../etc/passwd"}, 422, "invalid"),
    ],
)
def test_what_makes_no_sense_is_said(client, asked, status, code):
    problem(client.post("/api/v1/search", json=asked), status, code)


def test_the_place_of_a_faulty_filter_is_told(client):
    said = problem(client.get("/api/v1/search", params={"text": "x", "where": "price << 3"}), 400, "bad_filter")
    assert said["place"] == 7
    assert said["detail"].startswith("The filter cannot be understood at ▸")


@pytest.mark.parametrize("where", ["price == 1) or (price > 0", "'", '"; drop', "`price", "price in ['a'", "1 == 1 --"])
def test_a_filter_cannot_be_broken_out_of(client, where):
    answer = client.post("/api/v1/search", json={"text": "red", "where": where})
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:  # it was a filter after all, and was obeyed as one
        assert where == "price == 1) or (price > 0"
    else:
        problem(answer, 400, "bad_filter")


def test_other_bodies_are_refused(client):
    problem(client.post("/api/v1/search", content=b"a=b", headers={"Content-Type": "text/csv"}), 415, "unknown_body")
    broken = client.post("/api/v1/search", content=b"{", headers={"Content-Type": "application/json"})
    problem(broken, 422, "invalid")
    broken = client.post("/api/v1/search", content=b"--x", headers={"Content-Type": "multipart/form-data"})
    assert broken.status_code == 400
    problem(client.get("/api/v2"), 404, "http")
    problem(client.put("/api/v1/search"), 405, "http")


@pytest.mark.parametrize("charset", ["punycode", "undefined", "unicode_escape", "utf-8; charset=punycode"])
def test_clients_do_not_choose_a_codec(client, charset):
    form = b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nred\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    problem(client.post("/api/v1/search", content=form, headers={"Content-Type": kind}), 415, "unknown_body")
    kind = "multipart/form-data; boundary=x; charset=UTF-8"
    assert ids(client.post("/api/v1/search", content=form, headers={"Content-Type": kind}))[0] == "red"


@pytest.mark.parametrize("factor", [1e308, 1e-308])
def test_scores_are_numbers_whatever_the_boosts(client, factor):
    asked = {"text": "red", "boosts": {"price > 0": factor, "price < 1000": factor}}
    scores = [each["score"] for each in client.post("/api/v1/search", json=asked).json()["results"]]
    assert len(scores) > 1
    assert all(math.isfinite(score) for score in scores)


def test_a_picture_too_large_is_refused_before_it_is_read():
    with serving(max_upload_bytes=10_000) as client:
        whole = client.post("/api/v1/search", content=b"x" * 200_000, headers={"Content-Type": "image/png"})
        problem(whole, 413, "too_large")

        def endless():
            for _ in range(100):
                yield b"x" * 10_000

        problem(
            client.post("/api/v1/search", content=endless(), headers={"Content-Type": "image/png"}), 413, "too_large"
        )
        form = client.post("/api/v1/search", files={"image": ("x.png", b"x" * 15_000, "image/png")})
        problem(form, 413, "too_large")


def test_a_picture_that_unpacks_to_too_much_is_refused():
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    assert len(bomb.getvalue()) < 100_000
    with serving() as client:
        answer = client.post("/api/v1/search", content=bomb.getvalue(), headers={"Content-Type": "image/png"})
        problem(answer, 422, "too_many_pixels")
        assert 'tuku_uploads_refused_total{reason="too_many_pixels"} 1.0' in client.get("/metrics").text


def test_pictures_are_searched_by_their_url_where_the_operator_says_so():
    catalogue = FakeCatalogue()
    with serving(catalogue, image_urls=True) as client:
        client.post("/api/v1/search", json={"image": "https://example.com/x.png"})
        assert catalogue.asked[0].image == "https://example.com/x.png"
        for path in ("file:///etc/passwd", "ftp://host/x", "s3://bucket/x"):
            problem(client.post("/api/v1/search", json={"image": path}), 422, "invalid")


def failing(error: Exception, cause: Exception | None = None) -> FakeCatalogue:
    def fail() -> None:
        raise error from cause

    return FakeCatalogue(before=fail)


@pytest.mark.parametrize(
    ("error", "cause", "status", "code", "waits"),
    [
        (StoppedError("http://10.0.0.1 key"), RowError("throttled", "x"), 429, "model_away", True),
        (StoppedError("http://10.0.0.1 key"), RowError("timeout", "x"), 503, "model_away", True),
        (MilvusError("10.0.0.1:19530 /srv"), None, 503, "collection_away", True),
        (OutOfServiceError("/srv/milvus.db"), VectorSpaceError("/srv"), 503, "out_of_service", True),
        (RefusedQueryError(RowError("content_refused", "x"), "picture"), None, 422, "content_refused", False),
        (RuntimeError("/srv/secret sk-123"), None, 500, "unexpected", False),
    ],
)
def test_what_is_wrong_here_is_nobodys_business(error, cause, status, code, waits):
    with serving(failing(error, cause)) as client:
        answer = client.get("/api/v1/search?text=x")
        problem(answer, status, code)
        assert ("retry-after" in answer.headers) is waits
        assert not any(each in answer.text for each in ("10.0.0.1", "sk-123"))
        assert client.get("/api/v1/images/red").status_code == 200


def test_too_many_at_once_are_told_to_come_again():
    going = threading.Event()
    catalogue = FakeCatalogue(before=lambda: going.wait(10))
    with serving(catalogue, concurrency=1, waiting=1) as client, ThreadPoolExecutor(3) as people:
        first = [people.submit(client.get, "/api/v1/search?text=red") for _ in range(2)]
        until_s = time.monotonic() + 5
        while "tuku_searches 2.0" not in client.get("/metrics").text and time.monotonic() < until_s:
            time.sleep(0.01)
        third = client.get("/api/v1/search?text=red")
        problem(third, 503, "busy")
        assert third.headers["retry-after"] == "1"
        going.set()
        assert [each.result().status_code for each in first] == [200, 200]
        assert client.get("/api/v1/search?text=red").status_code == 200
    assert len(catalogue.threads) == 1


def test_nobody_waits_for_ever():
    going = threading.Event()
    with serving(FakeCatalogue(before=lambda: going.wait(10)), timeout_s=0.2) as client:
        began_s = time.monotonic()
        problem(client.get("/api/v1/search?text=red"), 503, "timeout")
        assert time.monotonic() - began_s < 3
        going.set()


def test_what_a_catalogue_holds_comes_out_as_it_is():
    image = Result("x", 0.1, uri="/x.png", caption=HOSTILE, keywords=(HOSTILE,), metadata={HOSTILE: HOSTILE})
    with serving(FakeCatalogue(images=[image])) as client:
        found = client.get("/api/v1/images/x")
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.json()["caption"] == HOSTILE
    assert found.json()["metadata"] == {HOSTILE: HOSTILE}


def test_half_a_surrogate_pair_does_no_harm(client):
    image = replace(FakeCatalogue().images[0], metadata={"name": "\ud800"})
    with serving(FakeCatalogue(images=[image])) as other:
        assert other.get("/api/v1/images/red").json()["metadata"] == {"name": "\ud800"}
    assert client.post(
        "/api/v1/search", content=b'{"text": "\\ud800"}', headers={"Content-Type": "application/json"}
    ).status_code in {200, 422}


def test_the_description_knows_every_route_and_the_page_shows_it(client):
    schema = client.get("/api/v1/openapi.json").json()
    assert set(schema["paths"]) == {
        "/api/v1/search",
        "/api/v1/images",
        "/api/v1/images/{image_id}",
        "/api/v1/images/{image_id}/similar",
        "/api/v1/images/{image_id}/thumbnail",
        "/api/v1/fields",
        "/api/v1/feedback",
    }
    text = json.dumps(schema)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in schema["components"]["schemas"]
    page = client.get("/api")
    assert page.headers["content-type"].startswith("text/html")
    for path in schema["paths"]:
        assert path in page.text
    assert "group_by" in page.text
    assert "<script" not in page.text


def test_probes_and_metrics(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    client.get("/api/v1/search?text=red")
    client.get("/api/v1/images/red/thumbnail")
    client.get("/no/such/page")
    text = client.get("/metrics").text
    assert 'tuku_requests_total{method="GET",route="/api/v1/search",status="200"} 1.0' in text
    assert 'tuku_search_phase_seconds_count{phase="encode"} 1.0' in text
    assert 'tuku_thumbnails_total{outcome="made"} 1.0' in text
    assert "/no/such/page" not in text
    with serving(failing(MilvusError("away"))) as other:
        problem(other.get("/readyz"), 503, "collection_away")
        assert other.get("/healthz").status_code == 200


@dataclass
class Slow(FakeCatalogue):
    """Its collection answers when it may."""

    goes_on: threading.Event = field(default_factory=threading.Event)
    checks: int = 0

    def check(self) -> None:
        self.checks += 1
        self.goes_on.wait(10)


def test_many_who_ask_whether_it_is_ready_share_one_answer_and_take_no_turn():
    catalogue = Slow()
    with serving(catalogue, concurrency=1, waiting=1) as client, ThreadPoolExecutor(12) as people:
        asking = [people.submit(client.get, "/readyz") for _ in range(12)]
        until_s = time.monotonic() + 5
        while not catalogue.checks and time.monotonic() < until_s:
            time.sleep(0.01)
        time.sleep(0.1)
        assert client.get("/api/v1/search?text=red").status_code == 200
        catalogue.goes_on.set()
        assert {each.result().status_code for each in asking} == {200}
        assert client.get("/readyz").status_code == 200
    assert catalogue.checks == 1


def test_it_is_ready_however_many_search():
    going = threading.Event()
    catalogue = Slow(before=lambda: going.wait(10))
    catalogue.goes_on.set()
    with serving(catalogue, concurrency=1, waiting=1) as client, ThreadPoolExecutor(2) as people:
        searches = [people.submit(client.get, "/api/v1/search?text=red") for _ in range(2)]
        until_s = time.monotonic() + 5
        while "tuku_searches 2.0" not in client.get("/metrics").text and time.monotonic() < until_s:
            time.sleep(0.01)
        assert client.get("/readyz").json() == {"status": "ready"}
        going.set()
        assert [each.result().status_code for each in searches] == [200, 200]


@pytest.mark.parametrize(
    "asked",
    [
        {"where": "id == 'x' and uri like 'https://user:p%'"},
        {"where": "price > 1 or not (`origin` == 'x')"},
        {"where": "exists uri"},
        {"boosts": {"uri like '%s3cret%'": 2.0}},
        {"boosts": {"price": 2.0, "origin": 1.5}},
        {"group_by": "uri"},
        {"group_by": "origin"},
    ],
)
def test_what_is_hidden_of_an_address_cannot_be_asked_for_either(client, asked):
    problem(client.post("/api/v1/search", json={"text": "x", **asked}), 422, "hidden_field")
    texts = {name: json.dumps(value) if name == "boosts" else value for name, value in asked.items()}
    problem(client.get("/api/v1/search", params={"text": "x", **texts}), 422, "hidden_field")
    problem(client.get("/api/v1/images/red/similar", params=texts), 422, "hidden_field")
    with serving(local_paths=True) as other:
        assert other.post("/api/v1/search", json={"text": "x", **asked}).status_code == 200


@pytest.mark.parametrize(
    ("part", "said"),
    [("text", "This text"), ("picture", "This picture"), ("text and picture", "This text with this picture")],
)
def test_what_the_model_refuses_is_named(part, said):
    error = RefusedQueryError(RowError("content_refused", "it may not be looked at"), part)
    with serving(failing(error)) as client:
        answer = problem(client.get("/api/v1/search?text=x"), 422, "content_refused")
    assert answer["detail"] == f"{said} cannot be searched with: content_refused: it may not be looked at."
    assert "JPEG" not in answer["remedy"]
