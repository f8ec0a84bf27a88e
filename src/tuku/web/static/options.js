// How to search: among what, reranked or not, with which filters and rules. The state is the page's; it is told of each change.

import { find } from "./dom.js";
import * as filters from "./filters.js";
import * as rules from "./rules.js";
import { empty } from "./state.js";

export const ranksBy = (state) => rules.howMany(state) > 0;
export const howMany = (state) => filters.howMany(state) + rules.howMany(state);

// Shows what the state has, for what the server is known to have.
export function fillIn(state, known, changed) {
  const drawn = () => { count(state); changed(); };
  const mode = state.in ?? known.vectors[0];
  for (const each of document.querySelectorAll("#mode input")) {
    each.checked = each.value === mode;
    each.disabled = each.value === "both" ? known.vectors.length < 2 : !known.vectors.includes(each.value);
  }
  find("rerank").hidden = !known.rerank;
  find("rerank").querySelector("input").checked = state.rerank;
  find("where").value = state.expert;
  filters.draw(known.fields, state, drawn);
  rules.draw(known.fields, state, drawn);
  count(state);
}

function count(state) {
  const many = howMany(state);
  find("filtered").hidden = many === 0;
  find("filtered").textContent = many;
  find("clear").disabled = many === 0;
}

export function clear(state) {
  state.filters = empty().filters;
  state.expert = "";
  rules.clear(state);
}

export function open(is) {
  find("filters").hidden = !is;
  find("filter").setAttribute("aria-expanded", String(is));
}

// current() is the state; heard: changed() at once, written() when typing has ended, cleared().
export function listen(current, heard) {
  find("mode").addEventListener("change", (event) => { current().in = event.target.value; heard.changed(); });
  find("rerank").addEventListener("change", (event) => { current().rerank = event.target.checked; heard.changed(); });
  find("where").addEventListener("change", (event) => {
    current().expert = event.target.value.trim();
    count(current());
    heard.written();
  });
  find("filter").addEventListener("click", () => open(find("filters").hidden));
  find("clear").addEventListener("click", heard.cleared);
}

// Closes the filters, if they are open; says whether they were.
export function closed() {
  if (find("filters").hidden) return false;
  open(false);
  find("filter").focus();
  return true;
}
