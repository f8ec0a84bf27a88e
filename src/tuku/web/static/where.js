// Filters in the language that the server parses (src/tuku/search/where.py): the one place where values are quoted.

const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;
const WORDS = new Set(
  ["and", "or", "not", "in", "like", "contains", "between", "is", "null", "exists", "true", "false"],
);

export function quoted(text) {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

export function literal(value) {
  if (typeof value === "string") return quoted(value);
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError("no number");
  return String(value);
}

export function field(name) {
  return PLAIN.test(name) && !WORDS.has(name.toLowerCase()) ? name : `\`${name}\``;
}

// A name with a backquote, or none, cannot be written: no filter is offered for it.
export const canName = (name) => name !== "" && !name.includes("`");

// What was chosen for one field: {values}, {least, most} or {truth}.
export function clause(name, chosen) {
  const parts = [];
  if (chosen.values?.length) parts.push(`${field(name)} in [${chosen.values.map(literal).join(", ")}]`);
  if (chosen.least !== undefined) parts.push(`${field(name)} >= ${literal(chosen.least)}`);
  if (chosen.most !== undefined) parts.push(`${field(name)} <= ${literal(chosen.most)}`);
  if (chosen.truth !== undefined) parts.push(`${field(name)} == ${literal(chosen.truth)}`);
  return parts.join(" and ");
}

// All of them together; what the user wrote comes first, so that a fault is shown at its own place.
export function whole(expert, filters) {
  const clauses = Object.entries(filters).map(([name, chosen]) => clause(name, chosen)).filter(Boolean);
  const written = expert.trim();
  if (!clauses.length) return written;
  return [...(written ? [`(${written})`] : []), ...clauses].join(" and ");
}
