// The search page: what is asked, when, and where everything goes.

import * as api from "./api.js";
import * as details from "./details.js";
import { el, find, icon, ICONS } from "./dom.js";
import * as grid from "./grid.js";
import * as options from "./options.js";
import * as outcome from "./outcome.js";
import * as picture from "./picture.js";
import { asksForAnything, empty, ofAddress, toAddress } from "./state.js";
import { otherLanguage, switchLanguage, t, translate } from "./words.js";
import { literal } from "./where.js";

let state = ofAddress(location.search);
let known = { vectors: ["image"], rerank: false, max_upload_bytes: Infinity, fields: [] };
let learned = null; // the promise of what is really known
let answer = null; // of the search, with all that "more" has brought; or some images, whose query is null
let asking = null;

const heard = { open: openDetails, like: moreLike };

async function run({ remember = true, more = false } = {}) {
  asking?.abort();
  const mine = (asking = new AbortController());
  if (remember) history.pushState(null, "", toAddress(state));
  drawAsked();
  outcome.quiet(t("searching"));
  grid.busy(true);
  try {
    const got = await (asksForAnything(state)
      ? api.search(state, more ? answer.results.length : 0, mine.signal)
      : api.some(state, mine.signal));
    answer = more ? { ...got, results: [...answer.results, ...got.results] } : { query: null, notes: [], ...got };
    answer.ended = got.results.length < api.PAGE;
    grid.show(got.results, heard, { append: more });
    outcome.tell(answer, state, clearFilters);
    learn();
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!more) { answer = null; grid.clear(); }
    outcome.trouble(error, retry);
  } finally {
    if (asking === mine) grid.busy(false);
  }
}

const retry = () => run({ remember: false });

function refuse(message) {
  outcome.trouble(new api.Trouble(422, { detail: message }), retry);
}

function openDetails(result) {
  details.open(answer.results, result, { like: moreLike, keyword: onlyKeyword, seen });
}

function seen(result) {
  if (answer.query) api.clicked(answer, result.id);
}

function moreLike(result) {
  if (answer.query) api.clicked(answer, result.id);
  forgetPicture();
  state = { ...state, text: "", like: result.id };
  fillIn();
  run();
  scrollTo({ top: 0 });
}

function onlyKeyword(word) {
  const wanted = `keywords contains ${literal(word)}`;
  state.expert = state.expert ? `(${state.expert}) and ${wanted}` : wanted;
  options.open(true);
  fillIn();
  run();
}

function takePicture(file) {
  if (!picture.isPicture(file)) return refuse(t("no_picture"));
  if (file.size > known.max_upload_bytes) return refuse(t("too_large", known.max_upload_bytes / 1e6));
  forgetPicture();
  state.picture = { file, url: URL.createObjectURL(file) };
  state.like = null;
  run();
}

function forgetPicture() {
  if (state.picture) URL.revokeObjectURL(state.picture.url);
  state.picture = null;
}

// What is searched with beside the text: a picture that was given, or one of the catalogue.
function drawAsked() {
  const asked = find("asked");
  document.title = [state.text || (state.like || state.picture ? t("similar") : ""), "图库 tuku"].filter(Boolean).join(" · ");
  const source = state.picture?.url ?? (state.like ? api.thumbnail(state.like, 160) : null);
  asked.hidden = source === null;
  if (source === null) return asked.replaceChildren();
  const name = t(state.picture ? "remove_picture" : "remove_like");
  const away = el("button", { type: "button", title: name, "aria-label": name, on: { click: () => { forgetPicture(); state.like = null; run(); } } }, icon(ICONS.close));
  asked.replaceChildren(el("img", { src: source, alt: t(state.picture ? "picture" : "similar") }), away);
}

function fillIn() {
  find("text").value = state.text;
  fillInOptions();
}

const fillInOptions = () => options.fillIn(state, known, soon);

let waiting = 0;
function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(() => run(), 250);
}

function clearFilters() {
  options.clear(state);
  fillIn();
  run();
}

function speak() {
  translate(document);
  find("language").textContent = otherLanguage();
  fillIn();
}

function listen() {
  find("search").addEventListener("submit", (event) => {
    event.preventDefault();
    state.text = find("text").value.trim();
    if (state.text) state.like = null;
    run();
  });
  options.listen(() => state, { changed: () => run(), written: soon, cleared: clearFilters });
  find("more").addEventListener("click", () => run({ remember: false, more: true }));
  find("language").addEventListener("click", () => {
    switchLanguage();
    speak();
    drawAsked();
    if (answer) { grid.show(answer.results, heard); outcome.tell(answer, state, clearFilters); }
    outcome.speak();
  });
  document.querySelector(".brand").addEventListener("click", (event) => { event.preventDefault(); forgetPicture(); state = empty(); fillIn(); run(); });
  addEventListener("popstate", () => { forgetPicture(); details.close(); state = ofAddress(location.search); fillIn(); run({ remember: false }); });
  document.addEventListener("keydown", keys);
  picture.listen(takePicture);
}

function keys(event) {
  const typing = event.target.matches("input:not([type=radio]):not([type=checkbox])");
  if (event.key === "/" && !typing && !find("details").open) {
    event.preventDefault();
    find("text").select();
  } else if (event.key === "ArrowDown" && event.target === find("text")) {
    event.preventDefault();
    grid.focusFirst();
  } else if (event.key === "Escape" && !find("details").open) {
    options.closed();
  }
}

// What filters can be made of. Where the server does not say so, the search says what is wrong; it is asked again then.
function learn() {
  learned ??= api.fields().then((got) => { known = got; fillInOptions(); }, () => { learned = null; });
}

speak();
listen();
options.open(options.howMany(state) > 0 && innerWidth > 700);
learn();
run({ remember: false });
