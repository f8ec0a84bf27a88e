// The results as tiles: one stop for Tab, arrows move between them.

import { thumbnail } from "./api.js";
import { el, find, icon, ICONS, shown } from "./dom.js";
import { t } from "./words.js";

const grid = find("grid");

export function show(results, { open, like }, { append = false } = {}) {
  const from = append ? grid.children.length : 0;
  if (!append) grid.replaceChildren();
  grid.append(...results.map((result) => tile(result, open, like)));
  for (const [place, each] of openers().entries()) each.tabIndex = place === 0 ? 0 : -1;
  if (append) openers()[from]?.focus();
}

export const clear = () => grid.replaceChildren();
export const busy = (is) => grid.setAttribute("aria-busy", String(is));
export const focusFirst = () => focus(openers()[0]);

function tile(result, open, like) {
  const words = shown(result.caption || result.uri);
  const picture = el("img", {
    alt: words, loading: "lazy", decoding: "async", width: 320, height: 240,
    srcset: `${thumbnail(result.id, 320)} 320w, ${thumbnail(result.id, 640)} 640w`,
    sizes: "(max-width: 560px) 46vw, 300px",
    src: thumbnail(result.id, 320),
  });
  const again = () => { picture.srcset = ""; picture.src = thumbnail(result.id, 320); };
  picture.addEventListener("error", () => setTimeout(again, 2000), { once: true }); // the server was busy
  const caption = el("span", { class: "caption" }, words);
  const opener = el("button", {
    type: "button", class: "open", "aria-label": t("open", words), "data-id": result.id, on: { click: () => open(result) },
  }, picture, caption);
  const similar = el("button", {
    type: "button", class: "like", title: t("like"), "aria-label": `${t("like")}: ${words}`, tabIndex: -1,
    on: { click: () => like(result) },
  }, icon(ICONS.like));
  const score = result.score ? el("span", { class: "score", title: t("score") }, result.score.toFixed(3)) : null;
  return el("li", { class: "tile" }, opener, similar, score);
}

const openers = () => [...grid.querySelectorAll(".open")];

function focus(opener) {
  if (!opener) return;
  for (const each of openers()) each.tabIndex = -1;
  opener.tabIndex = 0;
  opener.focus();
  opener.scrollIntoView({ block: "nearest" });
}

grid.addEventListener("keydown", (event) => {
  const all = openers();
  const place = all.indexOf(document.activeElement);
  if (place < 0) return;
  const top = all[0].getBoundingClientRect().top;
  const columns = all.filter((each) => each.getBoundingClientRect().top === top).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -place, End: all.length - 1 - place };
  if (event.key === "m") event.target.closest(".tile")?.querySelector(".like").click();
  if (!(event.key in steps)) return;
  event.preventDefault();
  if (event.key === "ArrowUp" && place < columns) find("text").focus();
  else focus(all[Math.min(all.length - 1, Math.max(0, place + steps[event.key]))]);
});
