// The JSON API.

import { parse } from "./exact.js";
import { whole } from "./where.js";

const API = "/api/v1";
export const PAGE = 24;
const MOST_SHOWN = 500; // of which the server wants to be told

// What went wrong, in the server's words.
export class Trouble extends Error {
  constructor(status, problem) {
    super(problem.detail ?? "");
    this.status = status;
    this.remedy = problem.remedy ?? "";
    this.code = problem.code ?? "";
    this.again = status === 0 || status === 429 || status === 503;
  }
}

export async function search(state, offset, signal) {
  const where = whole(state.expert, state.filters);
  const boosts = Object.fromEntries(state.boosts.map((boost) => [boost.where, boost.factor]));
  const asked = {
    in: state.in, where: where || null, limit: PAGE, offset, rerank: state.rerank || null,
    group_by: state.group, min_score: state.minScore, boosts: state.boosts.length ? boosts : null,
  };
  const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== null));
  const texts = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, name === "boosts" ? JSON.stringify(value) : value]));
  if (state.like && !state.text && !state.picture) {
    return ask(`${imagePath(state.like)}/similar?${new URLSearchParams(texts)}`, { signal });
  }
  if (!state.picture) return ask(`${API}/search`, { signal, ...json({ text: state.text, ...given }) });
  const form = new FormData();
  if (state.text) form.set("text", state.text);
  for (const [name, value] of Object.entries(texts)) form.set(name, value);
  form.set("image", state.picture.file, "picture");
  return ask(`${API}/search`, { signal, method: "POST", body: form });
}

export const fields = () => ask(`${API}/fields`);

// Without anything to search with: some images, those that the filters let through.
export function some(state, signal) {
  const where = whole(state.expert, state.filters);
  return ask(`${API}/images?${new URLSearchParams({ limit: PAGE, ...(where ? { where } : {}) })}`, { signal });
}

export const details = (id) => ask(imagePath(id));
export const thumbnail = (id, width) => `${imagePath(id)}/thumbnail?w=${width}`;

// Nobody waits for it, and nothing is said if it fails.
export function clicked(answer, id) {
  const results = answer.results.slice(0, MOST_SHOWN).map((result) => result.id);
  if (!results.includes(id)) return;
  const { text, in: target, where, image_sha256, like } = answer.query;
  const click = { query: { text, in: target, where, image_sha256, like }, results, id, rank: results.indexOf(id) + 1 };
  fetch(`${API}/feedback`, { keepalive: true, ...json(click) }).catch(() => {});
}

// An id may be anything, also ".." or "a/b": what a browser would read as a path is written in base64url.
function imagePath(id) {
  const plain = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(id);
  return `${API}/images/${plain ? id : `~${base64url(new TextEncoder().encode(id))}`}`;
}

function base64url(bytes) {
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function json(value) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(0, {});
  }
  if (answer.status === 401) location.reload();
  const body = await answer.text().then(parse).catch(() => ({}));
  options.signal?.throwIfAborted(); // while the body came: what there is of it is no answer
  if (!answer.ok) throw new Trouble(answer.status, body);
  return body;
}
