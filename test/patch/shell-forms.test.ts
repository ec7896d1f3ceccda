import { expect, test } from "vitest";
import { readShellPatch } from "../../src/tools/shell-patch.ts";

const body = '*** Begin Patch\n*** Update File: a\n@@\n-$x `y` "z"\n+w\\n\n*** End Patch';
const plain = "*** Begin Patch\n*** Delete File: a\n*** End Patch";
const heredoc = `apply_patch <<'EOF'\n${body}\nEOF\n`;
const inDouble = (text: string): string => `"${text.replace(/["\\$`]/g, "\\$&")}"`;

test.each([
  ["a call as JSON", JSON.stringify(["apply_patch", body]), "."],
  ["a script as JSON", JSON.stringify(["bash", "-lc", heredoc]), "."],
  ["a script in a folder as JSON", JSON.stringify(["/bin/sh", "-c", `cd sub && ${heredoc}`]), "sub"],
  ["a heredoc through cat", `apply_patch "$(cat <<'EOF'\n${body}\nEOF\n)"`, "."],
  ["a script for bash", `bash -lc ${inDouble(heredoc)}`, "."],
  ["a script in a folder for zsh", `zsh -c ${inDouble(`cd 'a b' && ${heredoc}`)}`, "a b"],
  ["an argument in double quotes", `applypatch ${inDouble(body)}`, "."],
])("%s is a patch", (_name, command, dir) => {
  expect(readShellPatch(command)).toEqual({ text: body, dir });
});

test("a script in single quotes is a patch", () => {
  expect(readShellPatch(`bash -lc 'apply_patch <<EOF\n${plain}\nEOF'`)).toEqual({ text: plain, dir: "." });
});

test.each([
  ["a JSON list with more behind", JSON.stringify(["apply_patch", plain, "x"])],
  ["a JSON list of another program", JSON.stringify(["echo", plain])],
  ["a JSON script with more behind", JSON.stringify(["bash", "-lc", `${heredoc}\necho a`])],
  ["a JSON script with more arguments", JSON.stringify(["bash", "-lc", heredoc, "x"])],
  ["a script with more before", `bash -lc ${inDouble(`echo a; ${heredoc}`)}`],
  ["a script with a command behind its quotes", `bash -lc ${inDouble(heredoc)}; echo a`],
  ["a script the outer shell would change", `bash -lc "apply_patch <<'EOF'\n*** Begin Patch\n$x\n*** End Patch\nEOF"`],
  ["a substitution with more behind", `apply_patch "$(cat <<'EOF'\n${plain}\nEOF\n)" && ls`],
  ["an argument the shell would change", `apply_patch "*** Begin Patch\n*** Delete File: $(x)\n*** End Patch"`],
])("%s is a command", (_name, command) => {
  expect(readShellPatch(command)).toBeNull();
});
