// JSON with whole numbers of any size: those that JavaScript would round (article numbers of 17 digits) become BigInt.

const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/gs;
const MARK = `whole number ${Math.random()}`; // which no server knows

const isLong = (text) => /^-?[1-9]\d{15,}$/.test(text) && !Number.isSafeInteger(Number(text));

export const number = (text) => (isLong(text) ? BigInt(text) : Number(text));

export function parse(text) {
  const marked = text.replace(TOKENS, (token) => (isLong(token) ? `{"${MARK}":"${token}"}` : token));
  return JSON.parse(marked, (_, value) => (typeof value?.[MARK] === "string" ? BigInt(value[MARK]) : value));
}

// Inside of lists and objects they are in quotes: JSON has no other way that JavaScript knows.
export function stringify(value) {
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(value, (_, each) => (typeof each === "bigint" ? String(each) : each));
}
