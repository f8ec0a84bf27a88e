// What ranks beside the model: one result for each value of a field, a least score, and conditions that lift what meets them.

import { el, find, shown } from "./dom.js";
import { t } from "./words.js";

const MOST_BOOSTS = 20; // as in the API
const FACTOR = 1.5;
const SINGLE = ["text", "number", "bool"];
const place = find("rules");

export function draw(known, state, changed) {
  place.replaceChildren(
    labelled("group_by", groups(known, state, changed)),
    labelled("min_score", leastScore(state, changed)),
    el("fieldset", { class: "field boosts" }, el("legend", {}, t("boosts")), ...boosts(state, changed)),
  );
}

export const howMany = (state) => state.boosts.length + (state.group ? 1 : 0) + (state.minScore === null ? 0 : 1);

export function clear(state) {
  Object.assign(state, { group: null, minScore: null, boosts: [] });
}

function labelled(word, input) {
  return el("label", { class: "field" }, el("span", {}, t(word)), input);
}

function groups(known, state, changed) {
  const names = known.filter((each) => each.kinds.every((kind) => SINGLE.includes(kind))).map((each) => each.name);
  if (state.group && !names.includes(state.group)) names.unshift(state.group);
  const chosen = (name) => el("option", { value: name, selected: name === (state.group ?? "") }, shown(name) || t("every"));
  return el("select", {
    on: { change: (event) => { state.group = event.target.value || null; changed(); } },
  }, ...["", ...names].map(chosen));
}

function leastScore(state, changed) {
  return el("input", {
    type: "number", step: "any", inputMode: "decimal", value: state.minScore ?? "",
    on: { change: (event) => { state.minScore = event.target.value === "" ? null : Number(event.target.value); changed(); } },
  });
}

// A row without a condition is one that is being written: it is not in the state.
function boosts(state, changed) {
  const rows = el("div", {}, ...state.boosts.map((boost) => row(boost, state, changed)));
  const add = el("button", { type: "button", class: "quiet" }, t("boost_more"));
  add.addEventListener("click", () => {
    if (rows.children.length >= MOST_BOOSTS) return;
    rows.append(row({ where: "", factor: FACTOR }, state, changed));
    rows.lastChild.querySelector("input").focus();
  });
  return [rows, add];
}

function row(boost, state, changed) {
  const put = (change) => {
    Object.assign(boost, change);
    const kept = state.boosts.filter((each) => each !== boost);
    state.boosts = boost.where && boost.factor > 0 ? [...kept, boost] : kept;
    changed();
  };
  const where = el("input", {
    class: "code", value: boost.where, maxLength: 3500, spellcheck: false, autocomplete: "off", placeholder: "stock > 0", "aria-label": t("boost_where"),
    on: { change: (event) => put({ where: event.target.value.trim() }) },
  });
  const factor = el("input", {
    type: "number", step: "any", min: "0", inputMode: "decimal", value: boost.factor, "aria-label": t("boost_factor"),
    on: { change: (event) => put({ factor: Number(event.target.value) }) },
  });
  const away = el("button", { type: "button", class: "quiet", title: t("boost_less"), "aria-label": t("boost_less") }, "✕");
  const made = el("p", { class: "boost" }, where, el("span", { "aria-hidden": "true" }, "×"), factor, away);
  away.addEventListener("click", () => { made.remove(); put({ where: "" }); });
  return made;
}
