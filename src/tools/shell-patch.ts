/** A patch typed into the shell, as models do that know codex. Only when it is the whole command; a program that holds one runs as it is. */

export type ShellPatch = { readonly text: string; readonly dir: string };

const NAME = "(?:apply_patch|applypatch)";
const CHANGE_DIR = String.raw`(?:cd\s+(?:'([^']+)'|"([^"$\`\\]+)"|([^\s'"$\`\\&;|<>()]+))\s*&&\s*)?`;
const HEREDOC = new RegExp(
  String.raw`^\s*${CHANGE_DIR}${NAME}\s*<<-?\s*(['"]?)(\w+)\4[ \t]*\r?\n([\s\S]*?)\r?\n\5\s*$`,
);
const ARGUMENT = new RegExp(String.raw`^\s*${CHANGE_DIR}${NAME}\s+'(\*\*\* Begin Patch[^']*)'\s*$`);

/** The patch and the folder its paths start from, or null for any other command. */
export function readShellPatch(command: string): ShellPatch | null {
  if (command.trimStart().startsWith("*** Begin Patch")) return { text: command, dir: "." };
  const heredoc = HEREDOC.exec(command);
  if (heredoc) {
    const [, single, double, bare, , end = "", text = ""] = heredoc;
    // More text behind the first end of the heredoc would be a command of its own.
    if (text.split(/\r?\n/).includes(end)) return null;
    return { text, dir: single ?? double ?? bare ?? "." };
  }
  const argument = ARGUMENT.exec(command);
  if (!argument) return null;
  const [, single, double, bare, text = ""] = argument;
  return { text, dir: single ?? double ?? bare ?? "." };
}
