/** The paths in the headers of a unified diff: without prefix, time stamp and git's quoting. */

export type Paths = { readonly from: string | null; readonly to: string | null };

/** What stands after `---` and `+++`. Null for /dev/null. */
export function stripPrefixes(from: string, to: string): Paths {
  const [old, fresh] = [readPath(from), readPath(to)];
  if (old === null) return { from: null, to: fresh?.replace(/^b\//, "") ?? null };
  if (fresh === null) return { from: old.replace(/^a\//, ""), to: null };
  return stripBoth(old, fresh);
}

/** What stands after `diff --git`, null when it cannot be told apart: both names may hold spaces. */
export function readGitPaths(text: string): { readonly from: string; readonly to: string } | null {
  const quoted = /^("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)$/.exec(text);
  if (quoted) return stripBoth(unquotePath(quoted[1] ?? ""), unquotePath(quoted[2] ?? ""));
  // The same name twice, as always but for renames, which say their names again below.
  const half = (text.length - 1) / 2;
  const [from, to] = [text.slice(0, half), text.slice(half + 1)];
  const pair = Number.isInteger(half) && text[half] === " " ? stripBoth(from, to) : null;
  return pair !== null && pair.from === pair.to ? pair : null;
}

/** git's prefixes: a/ and b/, or by what is compared (i/, w/, c/, o/). Two equal ones are folders. */
function stripBoth(from: string, to: string): { readonly from: string; readonly to: string } {
  const prefix = /^[abciow]\//;
  const isPrefixed = prefix.test(from) && prefix.test(to) && from[0] !== to[0];
  return isPrefixed ? { from: from.slice(2), to: to.slice(2) } : { from, to };
}

function readPath(text: string): string | null {
  const path = unquotePath(text.replace(/\t.*$/, "").trimEnd()).replace(/ \d{4}-\d\d-\d\d \d\d:\d\d.*$/, "");
  return path === "/dev/null" ? null : path;
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13 };

/** git quotes a path with unusual bytes as C does: "caf\303\251" (quote.c). */
export function unquotePath(text: string): string {
  if (!/^".*"$/.test(text)) return text;
  const bytes: number[] = [];
  for (const [part, octal, char] of text.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|[^\\]+/gu)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8) & 0xff);
    else if (char !== undefined && ESCAPES[char] !== undefined) bytes.push(ESCAPES[char]);
    else bytes.push(...new TextEncoder().encode(char ?? part));
  }
  return new TextDecoder().decode(new Uint8Array(bytes));
}
