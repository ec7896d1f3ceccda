/** The house rules a machine can check, as functions from source text to violations, so that the guard itself can be tested. */

export type SourceFile = { readonly path: string; readonly text: string };

/** Room -> floor (ARCHITECTURE.md). An import points to a lower floor or stays in its room. */
const FLOORS: Readonly<Record<string, number>> = {
  "main.ts": 6,
  "cli.ts": 6,
  cli: 6,
  eval: 6,
  webhook: 5,
  ops: 5,
  run: 4,
  agent: 3,
  publish: 3,
  review: 3,
  tools: 2,
  workspace: 2,
  queue: 2,
  store: 2,
  model: 1,
  sandbox: 1,
  forge: 1,
  trigger: 1,
  policy: 1,
  patch: 1,
};

/** Each SDK has one home: nowhere else can a vendor's type leak in. */
const HOMES: Readonly<Record<string, RegExp>> = {
  "@anthropic-ai/sdk": /^src\/model\/anthropic[^/]*\.ts$/,
  "@anthropic-ai/bedrock-sdk": /^src\/model\/anthropic-cloud\.ts$/,
  "@anthropic-ai/vertex-sdk": /^src\/model\/anthropic-cloud\.ts$/,
  openai: /^src\/model\/(openai|compatible|azure)[^/]*\.ts$/,
  octokit: /^src\/forge\//,
  probot: /^src\/webhook\//,
  pg: /^src\/store\//,
  "pg-boss": /^src\/queue\//,
  dockerode: /^src\/sandbox\/container-engine\.ts$/,
  "simple-git": /^src\/workspace\/git\.ts$/,
};

const PURE = /^src\/(trigger|policy|patch|review)\//;
const LINES_MAX = 250;
const FUNCTION_LINES_MAX = 50;
const BANNED_NAME =
  /\b(?:class|type|interface|function|const)\s+(\w*(?:Manager|Service|Helper|Util|Utils|Handler|Context|Data|Info))\b/;

/** Every violation of one file, as "path:line what". */
export function inspect(file: SourceFile): string[] {
  const lines = file.text.split("\n");
  const found = [...inspectImports(file), ...inspectLines(file.path, lines), ...inspectFunctions(file.path, lines)];
  if (lines.length > LINES_MAX) found.push(`${file.path}:${LINES_MAX} has ${lines.length} lines, at most ${LINES_MAX}`);
  if (!file.text.trimStart().startsWith("/**")) found.push(`${file.path}:1 does not say what the file is for`);
  return found;
}

export function readImports({ path, text }: SourceFile): { line: number; from: string; isLocal: boolean }[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom\s+"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)\s*import\s+"([^"]+)"/g;
  return [...text.matchAll(pattern)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? "";
    const isLocal = name.startsWith(".");
    const from = isLocal ? resolve(path, name) : name;
    return { line: text.slice(0, (match.index ?? 0) + match[0].length).split("\n").length, from, isLocal };
  });
}

function inspectImports(file: SourceFile): string[] {
  const { path } = file;
  const found: string[] = [];
  for (const { line, from, isLocal } of readImports(file)) {
    const at = `${path}:${line}`;
    if (isLocal) {
      if (!from.startsWith("src/")) found.push(`${at} src imports ${from}, which is outside src`);
      else if (!pointsDown(path, from)) found.push(`${at} imports up or sideways: ${from}`);
      continue;
    }
    const name = from.startsWith("@") ? from.split("/").slice(0, 2).join("/") : (from.split("/")[0] ?? "");
    const home = HOMES[name];
    if (home && !home.test(path)) found.push(`${at} ${name} has its home elsewhere (${home.source})`);
    if (PURE.test(path) && (from.startsWith("node:") || name !== "zod"))
      found.push(`${at} a pure room imports ${from}`);
  }
  return found;
}

function inspectLines(path: string, lines: readonly string[]): string[] {
  const found: string[] = [];
  lines.forEach((line, i) => {
    const at = `${path}:${i + 1}`;
    const code = line
      .replace(/\/\/.*$|^\s*\*.*$|^\s*\/\*\*.*$/, "")
      .replace(/"(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)*'/g, '""');
    const banned = BANNED_NAME.exec(code);
    if (banned) found.push(`${at} banned word in the name ${banned[1]}`);
    if (/\bexport default\b/.test(code)) found.push(`${at} default export`);
    if (/(:|<|\bas)\s*any\b/.test(code)) found.push(`${at} any`);
    if (/^\s*(export\s+)?(enum|namespace)\b/.test(code)) found.push(`${at} enum or namespace`);
    if (/\bprocess\.env\b/.test(code) && path !== "src/settings.ts")
      found.push(`${at} reads process.env outside settings.ts`);
    if (/\bas PublicText\b/.test(code) && path !== "src/policy/redact.ts")
      found.push(`${at} makes PublicText outside policy/redact`);
    if (PURE.test(path) && /\b(Date\.now|Math\.random|process\.|setTimeout|new Date\(\))/.test(code))
      found.push(`${at} a pure room has an effect`);
    if (/^(let|var)\b/.test(code)) found.push(`${at} module-level state`);
  });
  return found;
}

/** Top-level functions and methods, by indentation as prettier leaves it: open at `{`, close at the same indent. */
function inspectFunctions(path: string, lines: readonly string[]): string[] {
  const found: string[] = [];
  const opening = /^( {0,2})(?:export )?(?:static )?(?:async )?(?:function\*? )?#?([\w$]+)(?:<.*>)?\(.*\{$/;
  for (let i = 0; i < lines.length; i++) {
    const match = opening.exec(lines[i] ?? "");
    if (!match || /^\s*(if|for|while|switch|catch)\b/.test(lines[i] ?? "")) continue;
    const end = lines.indexOf(`${match[1]}}`, i);
    const held = lines.slice(i, end).findIndex((line) => /\bawait using\b/.test(line));
    for (let j = i + held; held >= 0 && j < end; j++) {
      // What is held is let go before an unawaited promise settles.
      if (/^\s+return (?!await\b)[\w.]+\(/.test(lines[j] ?? ""))
        found.push(`${path}:${j + 1} returns a call unawaited under "await using"`);
    }
    if (end - i + 1 > FUNCTION_LINES_MAX)
      found.push(`${path}:${i + 1} ${match[2]} has ${end - i + 1} lines, at most ${FUNCTION_LINES_MAX}`);
  }
  return found;
}

/** Files that nothing reaches from the two roots. */
export function findUnreached(files: readonly SourceFile[], roots: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const open = [...roots];
  const reached = new Set(open);
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = byPath.get(path);
    if (!file) continue;
    for (const { from } of readImports(file)) {
      if (reached.has(from) || !byPath.has(from)) continue;
      reached.add(from);
      open.push(from);
    }
  }
  return files.map(({ path }) => path).filter((path) => !reached.has(path));
}

function pointsDown(from: string, to: string): boolean {
  const [a, b] = [roomOf(from), roomOf(to)];
  return a === b || floorOf(a) > floorOf(b) || (SHARED.includes(floorOf(a)) && floorOf(a) === floorOf(b));
}

/** The nouns import each other, and so do the files that compose. */
const SHARED: readonly number[] = [0, 6];

function roomOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** Root files are the nouns, on the ground floor, except the two composition roots. */
function floorOf(room: string): number {
  return FLOORS[room] ?? (room.endsWith(".ts") ? 0 : Number.NaN);
}

function resolve(from: string, name: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
