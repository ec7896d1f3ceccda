/** Where the values of a JSON text stand, so that one can be changed and every other byte kept. The text is known to be valid JSON. */

export type Span = { readonly start: number; readonly end: number };
export type Member = { readonly key: string; readonly keyStart: number; readonly value: Span };

/** The members of the object that begins at `start`, in their order. */
export function readMembers(text: string, start: number): readonly Member[] {
  const members: Member[] = [];
  let at = skipSpace(text, start + 1);
  while (at < text.length && text[at] !== "}") {
    const keyEnd = endOfValue(text, at);
    const key: unknown = JSON.parse(text.slice(at, keyEnd));
    const value = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, value);
    members.push({ key: String(key), keyStart: at, value: { start: value, end } });
    at = skipComma(text, end);
  }
  return members;
}

/** The elements of the array that begins at `start`. */
export function readElements(text: string, start: number): readonly Span[] {
  const spans: Span[] = [];
  let at = skipSpace(text, start + 1);
  while (at < text.length && text[at] !== "]") {
    const end = endOfValue(text, at);
    spans.push({ start: at, end });
    at = skipComma(text, end);
  }
  return spans;
}

/** JSON.parse takes the last of two members with one name; so do we. */
export function memberNamed(members: readonly Member[], key: string): Member | null {
  return members.findLast((member) => member.key === key) ?? null;
}

function endOfValue(text: string, start: number): number {
  const first = text[start];
  if (first === '"') return endOfString(text, start);
  if (first !== "{" && first !== "[") {
    let at = start;
    while (at < text.length && !/[\s,\]}:]/.test(text.charAt(at))) at += 1;
    return at;
  }
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (character === '"') at = endOfString(text, at) - 1;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function skipComma(text: string, at: number): number {
  const next = skipSpace(text, at);
  return text[next] === "," ? skipSpace(text, next + 1) : next;
}

export function skipSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && /[ \t\r\n\uFEFF]/.test(text.charAt(at))) at += 1;
  return at;
}
