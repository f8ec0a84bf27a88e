"""The search page in a real Chromium: what people do on it, and that nothing in a catalogue can act on it."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from browser import Page, chromium
from fakes.catalogue import HOSTILE, FakeCatalogue, of_colours
from fakes.files import png
from fakes.models import COLOURS
from page_server import page_server
from tuku.errors import MilvusError, RowError
from tuku.search.results import Result
from tuku.search.where import read_where
from tuku.storage import DiskStorage, Storage
from tuku.web.names import segment_of

NASTY = [
    "'",
    '"',
    "\\",
    "\\'",
    "a\\",
    "' or 1 == 1 or 'x",
    "]",
    "`",
    "\n\t\r",
    "猫'咪",
    "\u2028",
    "%_",
    "true",
    "-1",
    " ",
]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    with chromium(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def quiet(page):
    """The page, of which the console has nothing to say."""
    page.size(1280, 860)
    return page


@contextmanager
def served(page: Page, catalogue: FakeCatalogue, storage: Storage | None = None, *, errors: int = 0, **serve: object):
    """The page's address; at the end, how many errors the console has."""
    with page_server(catalogue, storage, **serve) as url:
        page.errors.clear()
        yield url
        page.js("0")
        found = list(page.errors)
        page.open("about:blank")  # pictures that are still asked for would be errors once the server has ended
    assert len(found) <= errors, found


def many() -> FakeCatalogue:
    images = [
        replace(
            image,
            id=f"{image.id}-{number}",
            uri=f"/srv/secret/{image.id}.png",
            keywords=(image.id, "picture"),
            metadata={
                "price": 10 * number,
                "brand": "AB"[number % 2],
                "new": number > 3,
                "it's": "x" if number else "'",
            },
        )
        for number in range(12)
        for image in of_colours()
    ]
    return FakeCatalogue(images=images)


def tiles(page: Page) -> list[str]:
    page.wait("document.querySelector('#grid').getAttribute('aria-busy') === 'false'")
    return page.js("[...document.querySelectorAll('.open')].map((each) => each.dataset.id)")


def search(page: Page, text: str) -> list[str]:
    page.press("/")
    page.wait("document.activeElement.id === 'text'")
    page.type(text)
    before = page.js("performance.now()")
    page.press("Enter")
    page.wait(f"location.search.includes('q=') && performance.now() > {before}")
    return tiles(page)


def test_a_text_is_searched_by_keyboard_alone(quiet, tmp_path):
    with served(quiet, many(), DiskStorage(tmp_path)) as url:
        quiet.open(url + "/")
        assert len(tiles(quiet)) == 24  # something to look at before anything was asked
        found = search(quiet, "something blue")
        assert {each.partition("-")[0] for each in found[:12]} == {"blue"}
        assert "24+ results" in quiet.text()
        assert quiet.js("[...document.images].slice(0, 4).every((each) => each.naturalWidth > 0)") or quiet.wait(
            "[...document.querySelectorAll('.open img')].slice(0, 4).every((each) => each.naturalWidth > 0)"
        )
        quiet.press("ArrowDown")
        quiet.press("ArrowRight")
        assert quiet.js("document.activeElement.dataset.id") == found[1]
        quiet.press("Enter")
        quiet.wait("document.querySelector('dialog').open")
        assert "A blue picture" in quiet.text()
        quiet.press("ArrowRight")
        quiet.press("Escape")
        quiet.wait("!document.querySelector('dialog').open")
        quiet.wait(f"document.activeElement.dataset.id === '{found[2]}'")
        quiet.click("#more")
        quiet.wait("document.querySelectorAll('.open').length === 48")
        assert len(set(tiles(quiet))) == 48
    clicks = [row for file in tmp_path.rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    assert [(row["text"], row["image_id"], row["rank"]) for row in clicks] == [("something blue", found[1], 2)]


def test_a_picture_alone_and_with_a_text(quiet, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(COLOURS["yellow"], 200))
    catalogue = many()
    with served(quiet, catalogue) as url:
        quiet.open(url + "/")
        tiles(quiet)
        quiet.upload("#file", photo)
        quiet.wait("document.querySelector('#asked img')?.src.startsWith('blob:')")
        quiet.wait("document.querySelector('.open')?.dataset.id.startsWith('yellow')")
        assert "leaves the picture out" in quiet.text()
        search(quiet, "red")
        until_s = time.monotonic() + 5
        while len(catalogue.asked) < 2 and time.monotonic() < until_s:
            time.sleep(0.05)
        assert [(query.text, query.image == photo.read_bytes()) for query in catalogue.asked] == [
            (None, True),
            ("red", True),
        ]
        quiet.click("#asked button")
        quiet.wait("document.querySelector('.open')?.dataset.id.startsWith('red')")


def test_pasted_and_dropped(quiet):
    with served(quiet, many()) as url:
        for event in ("paste", "drop"):
            quiet.open(url + "/")
            tiles(quiet)
            quiet.js(
                """(async () => {
                const canvas = new OffscreenCanvas(40, 40), brush = canvas.getContext("2d");
                brush.fillStyle = "rgb(0, 255, 0)"; brush.fillRect(0, 0, 40, 40);
                const data = new DataTransfer();
                data.items.add(new File([await canvas.convertToBlob()], "x.png", { type: "image/png" }));
                const options = { bubbles: true, cancelable: true, clipboardData: data, dataTransfer: data };
                const kind = KIND === "paste" ? ClipboardEvent : DragEvent;
                document.body.dispatchEvent(new kind(KIND, options));
                })()""".replace("KIND", json.dumps(event))
            )
            quiet.wait("document.querySelector('.open')?.dataset.id.startsWith('green')")


def test_filters_are_made_of_the_metadata_and_kept_in_the_address(quiet):
    catalogue = many()
    with served(quiet, catalogue) as url:
        quiet.open(url + "/?q=red")
        tiles(quiet)
        quiet.click("#filter")
        quiet.wait("document.querySelectorAll('.field').length >= 4")
        quiet.js("[...document.querySelectorAll('.field .chip')].find((each) => each.innerText === 'B').click()")
        quiet.wait("location.search.includes('is.brand')")
        quiet.js("(() => { const least = document.querySelector('.range input'); least.value = '50';"
                 " least.dispatchEvent(new Event('change')); })()")  # fmt: skip
        quiet.wait("location.search.includes('least.price=50')")
        quiet.wait("document.querySelectorAll('.open').length === 20")
        assert catalogue.asked[-1].where == "brand in ['B'] and price >= 50"
        address = quiet.js("location.href")
        quiet.open(url + "/api")
        quiet.open(address)
        assert len(tiles(quiet)) == 20
        quiet.wait(
            "!document.querySelector('#filters').hidden && document.querySelector('#filtered').innerText === '2'"
        )
        assert quiet.js("document.querySelector('.chip[aria-pressed=true]').innerText") == "B"
        quiet.click("#clear")
        quiet.wait("document.querySelectorAll('.open').length === 24 && !location.search.includes('brand')")


def change(page: Page, selector: str, value: str) -> None:
    """As somebody does who types a value, or chooses it, and goes on."""
    page.js(
        f"(() => {{ const one = document.querySelector({json.dumps(selector)}); one.value = {json.dumps(value)};"
        " one.dispatchEvent(new Event('change')); })()"
    )


def test_what_ranks_beside_the_model_is_kept_in_the_address(quiet):
    catalogue = many()
    with served(quiet, catalogue) as url:
        quiet.open(url + "/?q=red")
        tiles(quiet)
        quiet.click("#filter")
        quiet.wait("!!document.querySelector('#rules option[value=brand]')")
        change(quiet, "#rules select", "brand")
        quiet.wait("document.querySelectorAll('.open').length === 2")
        change(quiet, "#rules select", "")
        quiet.wait("document.querySelectorAll('.open').length === 24")
        quiet.click("#rules button")
        change(quiet, ".boost .code", "price > 105 and brand == 'B'")
        change(quiet, ".boost input[type=number]", "3")
        quiet.wait("location.search.includes('boost=') && document.querySelector('.open').dataset.id === 'red-11'")
        change(quiet, "#rules label input", "0.9")
        quiet.wait("location.search.includes('min=0.9') && document.querySelectorAll('.open').length === 12")
        asked = catalogue.asked[-1]
        assert (asked.group_by, asked.min_score) == (None, 0.9)
        assert asked.boosts == {"price > 105 and brand == 'B'": 3.0}
        assert quiet.js("document.querySelector('#filtered').innerText") == "2"
        address = quiet.js("location.href")
        quiet.open(url + "/api")
        quiet.open(address)
        assert tiles(quiet)[0] == "red-11"
        assert catalogue.asked[-1] == asked
        quiet.click(".boost button")
        quiet.wait("!location.search.includes('boost=') && document.querySelector('.open').dataset.id !== 'red-11'")
        quiet.click("#clear")
        quiet.wait("location.search === '?q=red' && document.querySelectorAll('.open').length === 24")


def test_filters_hold_where_nothing_is_searched_for_too(quiet):
    with served(quiet, many()) as url:
        quiet.open(url + "/?is.brand=%22B%22&least.price=110&group=brand")
        assert tiles(quiet) == [f"{colour}-11" for colour in COLOURS]
        assert quiet.js("document.querySelector('#outcome').innerText").startswith("From the catalogue · groups")
        quiet.click("#clear")
        quiet.wait("location.search === '' && document.querySelectorAll('.open').length === 24")
        assert quiet.js("document.querySelector('#outcome').innerText") == "From the catalogue"


def test_long_numbers_keep_all_their_digits(quiet):
    skus = [1234567890123456789, 1234567890123456788, 9007199254740993, 42]
    images = [
        replace(
            image, id=f"{image.id}-{sku}", uri=f"/srv/secret/{image.id}.png", metadata={"sku": sku, "lot": [sku, "-5"]}
        )
        for sku in skus
        for image in of_colours()
    ]
    for image in images:  # of two kinds, so that there are values to choose from and no range
        image.metadata["code"] = image.metadata["sku"] if image.id.startswith("red") else str(image.metadata["sku"])
    catalogue = FakeCatalogue(images=images)
    with served(quiet, catalogue) as url:
        quiet.open(url + "/?q=red&is.code=1234567890123456789&least.sku=1234567890123456789")
        assert tiles(quiet) == ["red-1234567890123456789"]
        assert catalogue.asked[-1].where == "code in [1234567890123456789] and sku >= 1234567890123456789"
        assert "least.sku=1234567890123456789" in quiet.js("location.search")
        quiet.click(".open")
        quiet.wait("document.querySelector('dialog').open")
        assert '["1234567890123456789","-5"]' in quiet.text()
        quiet.press("Escape")
        quiet.wait("!!document.querySelector('#fields .chip')")
        chip = "[...document.querySelectorAll('#fields .chip')].find((each) => each.innerText === '9007199254740993')"
        quiet.wait(f"!!{chip}")
        quiet.js(f"{chip}.click()")
        quiet.wait("location.search.includes('9007199254740993')")
        tiles(quiet)
        assert "9007199254740993" in catalogue.asked[-1].where


@pytest.mark.parametrize("name", ["constructor", "__proto__", "toString", "hasOwnProperty"])
def test_a_field_may_bear_any_name(quiet, name):
    images = [replace(image, metadata={name: 1}) for image in of_colours()]
    with served(quiet, FakeCatalogue(images=images)) as url:
        quiet.open(f"{url}/?is.{name}=1")
        assert len(tiles(quiet)) == len(COLOURS)
        assert quiet.js("document.querySelector('#filtered').innerText") == "1"


def test_what_is_wrong_is_said_in_chinese_too(page):
    with served(page, many(), errors=1) as url:
        page.size(1280, 860)
        page.open(url + "/?q=red&where=price+%3C%3C+3")
        page.wait("!document.querySelector('#trouble').hidden")
        page.click("#language")
        page.wait("document.querySelector('[role=alert]').innerText.includes('看不懂这个筛选表达式。')")
        assert "price <▸< 3" in page.text()
        page.click("#language")


def test_rules_go_with_a_picture_too(quiet, tmp_path):
    photo = tmp_path / "photo.png"
    photo.write_bytes(png(COLOURS["blue"], 200))
    catalogue = many()
    with served(quiet, catalogue) as url:
        quiet.open(url + "/?group=brand&boost=%5B%22new%22%2C2%5D&boost=nonsense&min=x")
        tiles(quiet)
        quiet.upload("#file", photo)
        quiet.wait("document.querySelectorAll('.open').length === 2")
        asked = catalogue.asked[-1]
        assert (asked.group_by, asked.boosts, asked.min_score) == ("brand", {"new": 2.0}, None)


def test_values_cannot_break_out_of_a_filter(quiet):
    with served(quiet, FakeCatalogue()) as url:
        quiet.open(url + "/")
        for text in NASTY:
            name, value = json.dumps("x" if "`" in text else text), json.dumps(text)
            chosen = f"{{ values: [{value}], least: 1.5e30, truth: true }}"
            where = quiet.js(f"import('/static/where.js').then((made) => made.clause({name}, {chosen}))")
            joined = read_where(where)
            assert [(each.operator, each.values) for each in joined.parts] == [
                ("in", (text,)),
                (">=", (1.5e30,)),
                ("==", (True,)),
            ]
            assert {each.field for each in joined.parts} == {"x" if "`" in text else text}


def test_more_like_this_and_back(quiet):
    with served(quiet, many()) as url:
        quiet.open(url + "/?q=blue")
        first = tiles(quiet)[0]
        quiet.click(".like")
        quiet.wait(f"location.search === '?like={first}'")
        quiet.wait(f"document.querySelector('#asked img') && document.querySelector('.open').dataset.id !== '{first}'")
        assert first not in tiles(quiet)
        quiet.js("history.back()")
        quiet.wait(f"document.querySelector('.open')?.dataset.id === '{first}'")


def test_nothing_found_and_a_filter_that_is_wrong(page):
    with served(page, many(), errors=1) as url:
        page.size(1280, 860)
        page.open(url + "/?q=red&least.price=9999")
        page.wait("document.body.innerText.includes('Nothing found')")
        page.click("#nothing button")
        page.wait("document.querySelectorAll('.open').length === 24")
        page.open(url + "/?q=red&where=price+%3C%3C+3")
        page.wait("document.querySelector('[role=alert]').innerText.includes('▸')")
        assert "price <▸< 3" in page.text()


def test_an_answer_that_is_given_up_while_it_comes_is_none(quiet):
    with served(quiet, FakeCatalogue()) as url:
        quiet.open(url + "/")
        tiles(quiet)
        error = quiet.js("""(async () => {
            const api = await import('/static/api.js');
            const controller = new AbortController();
            const asked = window.fetch;
            window.fetch = async (path, { signal }) => {
                signal.addEventListener('abort', () => rejected(signal.reason));
                let rejected;
                const text = new Promise((_, reject) => { rejected = reject; });
                return { status: 200, ok: true, text: () => text };
            };
            const got = api.search({ text: 'red', filters: {}, expert: '', boosts: [] }, 0, controller.signal);
            setTimeout(() => controller.abort(), 20);
            return got.then(JSON.stringify, (error) => error.name).finally(() => { window.fetch = asked; });
        })()""")
        assert error == "AbortError"


def test_what_is_away_is_said_and_tried_again(page):
    catalogue = many()
    away = [MilvusError("10.0.0.1")]

    def fail_once() -> None:
        if away:
            raise away.pop()

    catalogue.before = fail_once
    with served(page, catalogue, errors=1) as url:
        page.open(url + "/?q=red")
        page.wait("document.querySelector('[role=alert]').innerText.includes('does not answer just now')")
        page.click("#trouble button")
        page.wait("document.querySelectorAll('.open').length === 24")
        assert page.js("document.querySelector('#trouble').hidden")


def test_a_catalogue_full_of_html_shows_text_and_does_nothing(page):
    images = [
        Result(HOSTILE, 0.5, uri="/x/red.png", caption=HOSTILE, keywords=(HOSTILE,), metadata={HOSTILE: HOSTILE})
    ] * 2
    images = [replace(image, id=f"{number}/../{image.id}") for number, image in enumerate(images)]
    with served(page, FakeCatalogue(images=images)) as url:
        page.open(url + "/?q=red")
        assert len(tiles(page)) == 2
        page.wait("[...document.querySelectorAll('.open img')].every((each) => each.naturalWidth > 0)")
        page.click("#filter")
        page.click(".open")
        page.wait("document.querySelector('dialog').open")
        shown = page.text()
        assert "<script>alert(2)</script>" in shown
        assert "\\x1b[2J" in shown
        assert "\\u202e" in shown
        assert "\u202e" not in shown
        assert page.js("document.querySelectorAll('main script, dialog script, img[src=x]').length") == 0
        page.click("dialog .chip")
        page.wait("location.search.includes('where=')")
        tiles(page)


def test_a_picture_that_is_gone_leaves_its_place(page):
    catalogue = FakeCatalogue(files={"/srv/secret/red.png": RowError("not_found", "gone")})
    with served(page, catalogue, errors=1) as url:
        page.open(url + "/?q=red")
        tiles(page)
        page.wait("[...document.querySelectorAll('.open img')].every((each) => each.complete)")
        heights = page.js("[...document.querySelectorAll('.open img')].map((each) => Math.round(each.clientHeight))")
        assert len(set(heights)) == 1


@pytest.mark.parametrize("path", ["/?q=red&is.brand=%22B%22", "/", "/api"])
def test_a_phone_of_360_px_has_room_for_all_of_it(quiet, path):
    with served(quiet, many()) as url:
        quiet.size(360, 740, mobile=True)
        quiet.open(url + path)
        if path != "/api":
            assert tiles(quiet)
            assert quiet.js("document.querySelector('#filters').hidden")
            quiet.click("#filter")
        assert quiet.js("document.documentElement.scrollWidth") <= 360
        if path != "/api":
            quiet.click("#filter")
            quiet.click(".open")
            quiet.wait("document.querySelector('dialog').open")
            assert quiet.js("document.querySelector('dialog').getBoundingClientRect().right") <= 360
            assert quiet.js("document.querySelector('.close').getBoundingClientRect().width") >= 40


def test_chinese_is_a_click_away_and_remembered(quiet):
    with served(quiet, many()) as url:
        quiet.open(url + "/?q=red")
        tiles(quiet)
        quiet.click("#language")
        assert quiet.js("document.documentElement.lang") == "zh"
        assert "条结果" in quiet.text()
        quiet.open(url + "/?q=blue")
        tiles(quiet)
        assert quiet.js("document.querySelector('#text').placeholder") == "想找什么图片？"
        quiet.click("#language")
        assert "results" in quiet.text()


def test_every_control_has_a_name(quiet):
    with served(quiet, many()) as url:
        quiet.open(url + "/?q=red")
        tiles(quiet)
        quiet.click("#filter")
        quiet.click(".open")
        nameless = quiet.js(
            "[...document.querySelectorAll('button, input, a')].filter((each) => !(each.getAttribute('aria-label')"
            " || each.innerText.trim() || each.labels?.length)).map((each) => each.outerHTML)"
        )
        assert nameless == []


def test_the_token_is_asked_for_once(page):
    with served(page, many(), token="correct horse battery", errors=2) as url:
        page.open(url + "/?q=red")
        page.wait("document.activeElement.id === 'token'")
        page.type("wrong")
        page.press("Enter")
        page.wait("document.body.innerText.includes('not the token')")
        page.js("document.querySelector('#token').focus()")
        page.type("correct horse battery")
        page.press("Enter")
        page.wait("document.querySelectorAll('.open').length === 24")
        assert page.js("location.search") == "?q=red"
        assert "tuku_session" not in page.js("document.cookie")


def test_an_id_is_written_as_the_server_reads_it(quiet):
    with served(quiet, FakeCatalogue()) as url:
        quiet.open(url + "/")
        for image_id in ("..", "a/b", "猫", "~x", "%2e", HOSTILE):
            path = quiet.js(f"import('/static/api.js').then((api) => api.thumbnail({json.dumps(image_id)}, 160))")
            assert path == f"/api/v1/images/{segment_of(image_id)}/thumbnail?w=160"
        assert (
            quiet.js("import('/static/api.js').then((api) => api.thumbnail('a-1_b.c', 160))").split("/")[4] == "a-1_b.c"
        )
