// What is asked, and how it is written in the page's address. A picture that was uploaded is not in it.

import { number as exact, parse, stringify } from "./exact.js";

export function empty() {
  return {
    text: "", like: null, picture: null, in: null, rerank: false,
    expert: "", filters: Object.create(null), group: null, minScore: null, boosts: [],
  };
}

export const asksForAnything = (state) => Boolean(state.text || state.like || state.picture);

export function toAddress(state) {
  const query = new URLSearchParams();
  if (state.text) query.set("q", state.text);
  if (state.like) query.set("like", state.like);
  if (state.in) query.set("in", state.in);
  if (state.expert) query.set("where", state.expert);
  if (state.rerank) query.set("rerank", "1");
  if (state.group) query.set("group", state.group);
  if (state.minScore !== null) query.set("min", state.minScore);
  for (const { where, factor } of state.boosts) query.append("boost", JSON.stringify([where, factor]));
  for (const [name, chosen] of Object.entries(state.filters)) {
    for (const value of chosen.values ?? []) query.append(`is.${name}`, stringify(value));
    if (chosen.least !== undefined) query.set(`least.${name}`, chosen.least);
    if (chosen.most !== undefined) query.set(`most.${name}`, chosen.most);
    if (chosen.truth !== undefined) query.set(`truth.${name}`, chosen.truth);
  }
  const text = query.toString();
  return text ? `/?${text}` : "/";
}

export function ofAddress(search) {
  const query = new URLSearchParams(search);
  const state = empty();
  state.text = query.get("q") ?? "";
  state.like = query.get("like");
  state.in = ["image", "text", "both"].includes(query.get("in")) ? query.get("in") : null;
  state.expert = query.get("where") ?? "";
  state.rerank = query.get("rerank") === "1";
  state.group = query.get("group") || null;
  state.minScore = number(query.get("min"));
  state.boosts = query.getAll("boost").map(boost).filter(Boolean);
  for (const [key, text] of query) {
    const [, kind, name] = /^(is|least|most|truth)\.(.+)$/su.exec(key) ?? [];
    if (name === undefined) continue;
    const value = kind === "is" || kind === "truth" ? parsed(text) : exact(text);
    if (value === undefined || Number.isNaN(value)) continue;
    const chosen = (state.filters[name] ??= {});
    if (kind === "is") (chosen.values ??= []).push(value);
    else if (kind !== "truth" || typeof value === "boolean") chosen[kind] = value;
  }
  return state;
}

function parsed(text) {
  const value = json(text);
  return ["string", "number", "bigint", "boolean"].includes(typeof value) ? value : undefined;
}

function boost(text) {
  const [where, factor] = [json(text)].flat();
  return typeof where === "string" && where && factor > 0 ? { where, factor: Number(factor) } : undefined;
}

function number(text) {
  const value = text === null || text === "" ? NaN : Number(text);
  return Number.isFinite(value) ? value : null;
}

function json(text) {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}
