// Filters made from the metadata: values to choose from, numbers between two bounds, true or false.

import { el, find, shown } from "./dom.js";
import { number } from "./exact.js";
import { t } from "./words.js";
import { canName } from "./where.js";

const FEW = 10;
const MANY = 60; // a field of more different values is not one to choose from
const place = find("fields");

export function draw(known, state, changed) {
  place.replaceChildren(...known.filter((each) => canName(each.name)).map((each) => one(each, state, changed)).filter(Boolean));
}

export const howMany = (state) => Object.keys(state.filters).length + (state.expert ? 1 : 0);

function one(field, state, changed) {
  const put = (chosen) => {
    const kept = Object.fromEntries(
      Object.entries({ ...state.filters[field.name], ...chosen }).filter(([, value]) => value !== undefined && value?.length !== 0));
    if (Object.keys(kept).length) state.filters[field.name] = kept;
    else delete state.filters[field.name];
    changed();
  };
  const only = field.kinds.length === 1 ? field.kinds[0] : "mixed";
  if (only === "bool") return group(field, truths(state.filters[field.name]?.truth, put));
  if (only === "number") return group(field, bounds(field, state.filters[field.name] ?? {}, put));
  const repeated = field.distinct < MANY && field.values.some((each) => each.count > 1);
  if (!field.values.length || only === "list" || !repeated) return null;
  return group(field, values(field, new Set(state.filters[field.name]?.values), put));
}

function group(field, ...inside) {
  return el("fieldset", { class: "field" }, el("legend", {}, shown(field.name)), ...inside);
}

function values(field, chosen, put) {
  const all = [...field.values.map((each) => each.value)];
  for (const value of chosen) if (!all.includes(value)) all.unshift(value);
  const chips = all.map((value, at) => {
    const chip = el("button", { type: "button", class: "chip", "aria-pressed": String(chosen.has(value)), hidden: at >= FEW && !chosen.has(value) }, shown(String(value)));
    chip.addEventListener("click", () => {
      if (!chosen.delete(value)) chosen.add(value);
      chip.setAttribute("aria-pressed", String(chosen.has(value)));
      put({ values: [...chosen] });
    });
    return chip;
  });
  const rest = el("button", { type: "button", class: "quiet" }, t("others"));
  rest.addEventListener("click", () => { for (const chip of chips) chip.hidden = false; rest.remove(); chips[FEW]?.focus(); });
  return el("p", { class: "chips" }, ...chips, chips.some((chip) => chip.hidden) ? rest : null);
}

function bounds(field, chosen, put) {
  const bound = (key) => el("input", {
    type: "number", step: "any", inputMode: "decimal", value: chosen[key] ?? "", placeholder: field[key] ?? "",
    "aria-label": `${shown(field.name)}, ${t(key)}`,
    on: { change: (event) => put({ [key]: event.target.value === "" ? undefined : number(event.target.value) }) },
  });
  return el("p", { class: "range" }, bound("least"), el("span", { "aria-hidden": "true" }, "–"), bound("most"));
}

function truths(chosen, put) {
  const choices = [["any", undefined], ["yes", true], ["no", false]];
  const chips = choices.map(([word, value]) => el("button", {
    type: "button", class: "chip", "aria-pressed": String(chosen === value),
    on: { click: () => { for (const [at, chip] of chips.entries()) chip.setAttribute("aria-pressed", String(choices[at][1] === value)); put({ truth: value }); } },
  }, t(word)));
  return el("p", { class: "chips" }, ...chips);
}
