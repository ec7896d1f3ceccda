/** A patch typed into the shell, as models do that know codex. Only when it is the whole command; a program that holds one runs as it is. */

export type ShellPatch = { readonly text: string; readonly dir: string };

const NAME = "(?:apply_patch|applypatch)";
const CHANGE_DIR = String.raw`(?:cd\s+(?:'([^']+)'|"([^"$\`\\]+)"|([^\s'"$\`\\&;|<>()]+))\s*&&\s*)?`;
const HEREDOC = new RegExp(
  String.raw`^\s*${CHANGE_DIR}${NAME}\s*<<-?\s*(['"]?)(\w+)\4[ \t]*\r?\n([\s\S]*?)\r?\n\5\s*$`,
);
const SUBSTITUTION = new RegExp(
  String.raw`^\s*${CHANGE_DIR}${NAME}\s+"\$\(\s*cat\s*<<-?\s*(['"]?)(\w+)\4[ \t]*\r?\n([\s\S]*?)\r?\n\5[ \t]*(?:\r?\n\s*)?\)"\s*$`,
);
const SINGLE_QUOTED = new RegExp(String.raw`^\s*${CHANGE_DIR}${NAME}\s+'(\s*\*\*\* Begin Patch[^']*)'\s*$`);
const DOUBLE_QUOTED = new RegExp(
  String.raw`^\s*${CHANGE_DIR}${NAME}\s+"(\s*\*\*\* Begin Patch(?:[^"\\]|\\[\s\S])*)"\s*$`,
);
const NESTED =
  /^\s*(?:\/(?:usr\/)?bin\/)?(?:ba|z)?sh\s+(?:-l\s+-c|-lc|-c)\s+(?:'([^']*)'|"((?:[^"\\]|\\[\s\S])*)")\s*$/;

/** The patch and the folder its paths start from, or null for any other command. */
export function readShellPatch(command: string): ShellPatch | null {
  if (command.trimStart().startsWith("*** Begin Patch")) return { text: command, dir: "." };
  const argv = readArgv(command);
  if (argv) return readCall(argv);
  const nested = NESTED.exec(command);
  if (!nested) return readScript(command);
  const script = nested[1] ?? unquoteDouble(nested[2] ?? "");
  return script === null ? null : readScript(script);
}

/** `["apply_patch", "*** Begin Patch ..."]` and `["bash", "-lc", script]`, as codex's own tool takes them. */
function readCall(argv: readonly string[]): ShellPatch | null {
  const [name = "", option = "", script] = argv;
  if (/^apply_?patch$/.test(name) && argv.length === 2) return { text: option, dir: "." };
  if (!/^(?:\/(?:usr\/)?bin\/)?(?:ba|z)?sh$/.test(name) || !/^-l?c$/.test(option)) return null;
  return script === undefined || argv.length > 3 ? null : readScript(script);
}

function readScript(command: string): ShellPatch | null {
  const heredoc = HEREDOC.exec(command) ?? SUBSTITUTION.exec(command);
  if (heredoc) {
    const [, single, double, bare, , end = "", text = ""] = heredoc;
    // More text behind the first end of the heredoc would be a command of its own.
    if (text.split(/\r?\n/).includes(end)) return null;
    return { text, dir: single ?? double ?? bare ?? "." };
  }
  const quoted = DOUBLE_QUOTED.exec(command);
  const [, single, double, bare, given = ""] = SINGLE_QUOTED.exec(command) ?? quoted ?? [];
  const text = quoted ? unquoteDouble(given) : given;
  return text === null || text === "" ? null : { text, dir: single ?? double ?? bare ?? "." };
}

/** What the shell makes of a text in double quotes; null when it would put something in its place. */
function unquoteDouble(text: string): string | null {
  if (/(?:^|[^\\])(?:\\\\)*(?:`|\$[\w({@*#?!$-])/.test(text)) return null;
  return text.replace(/\\(["\\$`])/g, "$1").replaceAll("\\\n", "");
}

function readArgv(command: string): readonly string[] | null {
  if (!/^\s*\[\s*"/.test(command)) return null;
  try {
    const parsed: unknown = JSON.parse(command);
    return Array.isArray(parsed) && parsed.every((part) => typeof part === "string") ? parsed : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
