// One image in full: what is known of it, and why it was found.

import { thumbnail } from "./api.js";
import { el, find, icon, ICONS, shown } from "./dom.js";
import { t } from "./words.js";

const dialog = find("details");
let results = [];
let place = 0;
let heard = {};

// heard: like(result), keyword(word), seen(result).
export function open(among, result, listeners) {
  [results, place, heard] = [among, among.indexOf(result), listeners];
  heard.seen(result); // those that are stepped through from here were not chosen
  draw();
  if (!dialog.open) dialog.showModal();
}

export const close = () => dialog.close();

function draw() {
  const result = results[place];
  const picture = el("img", { src: thumbnail(result.id, 640), alt: "", class: "whole" });
  dialog.replaceChildren(
    el("div", { class: "stage" }, picture, ...steps()),
    el("div", { class: "about" },
      el("button", { type: "button", class: "round close", title: t("close"), "aria-label": t("close"), on: { click: close } }, icon(ICONS.close)),
      el("h2", { id: "caption" }, shown(result.caption || t("no_caption"))),
      result.reason ? el("p", { class: "reason" }, el("b", {}, t("why")), ` ${shown(result.reason)}`) : null,
      keywords(result),
      el("button", { type: "button", class: "primary", on: { click: () => { close(); heard.like(result); } } }, t("like")),
      el("dl", {}, ...facts(result).flatMap(([name, value]) => [el("dt", {}, shown(name)), el("dd", {}, shown(value))])),
    ),
  );
}

function keywords(result) {
  if (!result.keywords.length) return null;
  const chips = result.keywords.map((word) =>
    el("button", { type: "button", class: "chip", title: t("only", shown(word)), on: { click: () => { close(); heard.keyword(word); } } }, shown(word)));
  return el("p", { class: "chips", "aria-label": t("keywords") }, ...chips);
}

function facts(result) {
  const scores = Object.entries(result.scores).map(([name, score]) => [`${t("score")} · ${t(name)}`, score.toFixed(4)]);
  const whole = result.score && scores.length !== 1 ? [[t("score"), result.score.toFixed(4)]] : [];
  return [...Object.entries(result.metadata), ...whole, ...scores, [t("file"), result.uri], [t("id"), result.id]];
}

function steps() {
  const step = (key, by) => el("button", {
    type: "button", class: `round ${key}`, title: t(key), "aria-label": t(key), disabled: !results[place + by],
    on: { click: () => go(by) },
  }, icon(ICONS[key]));
  return [step("previous", -1), step("next", 1)];
}

function go(by) {
  if (!results[place + by]) return;
  place += by;
  draw();
  dialog.querySelector(by < 0 ? ".previous" : ".next").focus();
}

dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") go(1);
  if (event.key === "ArrowLeft") go(-1);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
dialog.addEventListener("close", () => {
  const opener = [...document.querySelectorAll(".open")].find((each) => each.dataset.id === results[place]?.id);
  opener?.focus();
});
