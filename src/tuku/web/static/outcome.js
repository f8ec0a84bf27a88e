// What came of it: how many were found, what should be known of them, or what went wrong.

import { Trouble } from "./api.js";
import { el, find, shown } from "./dom.js";
import * as options from "./options.js";
import { problem, t } from "./words.js";

let standing = null; // the trouble that is being shown, and how it is tried again

export function quiet(meanwhile) {
  standing = null;
  for (const id of ["trouble", "notes", "nothing", "more"]) find(id).hidden = true;
  find("outcome").textContent = meanwhile;
}

// answer: of a search, or some images, whose query is null.
export function tell(answer, state, clearFilters) {
  const count = answer.results.length;
  find("outcome").textContent = (answer.query ? found(answer, state) : unasked(state)).filter(Boolean).join(" · ");
  find("more").hidden = answer.ended || !answer.query;
  find("notes").hidden = !answer.notes.length;
  find("notes").replaceChildren(...answer.notes.map((note) => el("li", {}, shown(note))));
  find("nothing").hidden = count > 0;
  if (count) return;
  const clear = options.howMany(state) ? el("button", { type: "button", class: "primary", on: { click: clearFilters } }, t("clear")) : null;
  find("nothing").replaceChildren(...[el("h2", {}, t("none")), el("p", {}, t("none_hint")), clear].filter(Boolean));
}

function found(answer, state) {
  const ms = Object.values(answer.timings_ms).reduce((sum, each) => sum + each, 0);
  return [
    t("count", answer.results.length, !answer.ended), ms ? t("took", ms.toFixed(0)) : null,
    answer.reranked ? t("reranked") : null, state.picture ? t("not_shared") : null,
  ];
}

const unasked = (state) => [t("some"), options.ranksBy(state) ? t("some_rules") : null];

export function trouble(error, retry) {
  standing = [error, retry];
  if (!(error instanceof Trouble)) console.error(error);
  const [heading, ...more] = sentences(error);
  const again = error.again ?? true;
  find("outcome").textContent = "";
  find("trouble").hidden = false;
  find("trouble").replaceChildren(
    el("p", {}, el("b", {}, shown(heading))),
    ...more.map((sentence) => el("p", {}, shown(sentence))),
    ...(again ? [el("button", { type: "button", class: "primary", on: { click: retry } }, t("retry"))] : []),
  );
}

// The server speaks English: what it says in detail stands below what the page says itself.
function sentences(error) {
  if (!(error instanceof Trouble && error.message)) return [t("unreachable"), t("unreachable_hint")];
  return [problem(error.code), error.message, error.remedy].filter(Boolean);
}

// Trouble that is being shown, in the language that has just been chosen.
export function speak() {
  if (standing) trouble(...standing);
}
