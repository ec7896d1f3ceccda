/** The scripted session that every harness plays: what it is asked, what its model says in each turn, and the checkout it works in. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Shell commands in a session. One more request follows each, in which the model ends the session. */
export const TURNS = [1, 20, 60] as const;

/** Files of the checkout; a turn reads one and writes a line into another. */
const FILES = 60;
/** Lines of a file, so that a turn adds some 1.2 kB to the transcript, as a look at a function does. */
const LINES = 20;

export const TASK =
  "Read the modules of src one after the other, keep notes of what each is for in NOTES.md, then stop.";

/** What the model asks for in this turn, counted from 0: a real read and a real write. */
export function commandOf(turn: number): string {
  const module = String(turn % FILES).padStart(2, "0");
  return `printf 'module ${module} was read\\n' >> NOTES.md && cat src/module-${module}.ts && wc -l NOTES.md`;
}

export function wordsOf(turn: number): string {
  return `Reading module ${turn % FILES} and writing down what it does.`;
}

export const REPORT = { title: "Keep notes on the modules", summary: "Every module was read; NOTES.md says so." };

/** A repository of its own with one commit. `name` is in every file, so that two of them differ throughout. */
export function makeCheckout(folder: string, name: string): void {
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(join(folder, "README.md"), `# ${name}\n\nA library of ${FILES} modules that belong to ${name}.\n`);
  for (let index = 0; index < FILES; index++) {
    const module = String(index).padStart(2, "0");
    const line = (n: number) => `export const ${name}${module}n${n} = (value: number) => value + ${index * n};\n`;
    const text = Array.from({ length: LINES }, (_, n) => line(n)).join("");
    writeFileSync(join(folder, `src/module-${module}.ts`), text.slice(0, 800));
  }
  const git = (...args: readonly string[]) =>
    execFileSync("git", ["-c", "user.name=bench", "-c", "user.email=bench@example.invalid", ...args], { cwd: folder });
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("commit", "--quiet", "--message=Start");
}
