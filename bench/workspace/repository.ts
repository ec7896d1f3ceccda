/** A bare repository of many files with a history, written by `git fast-import` in seconds: what a large monorepo looks like to git. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";

export type Shape = { readonly files: number; readonly commits: number };

const FILES_PER_FOLDER = 12;
/** Of these fifty lines each commit changes one in eight files. */
const LINES = 50;
const FILES_PER_COMMIT = 8;

/** Deterministic, so that two benches have the same objects. Resolves to nothing; branch `main` is the newest commit. */
export async function makeRepository(gitDir: string, { files, commits }: Shape): Promise<void> {
  await mkdir(gitDir, { recursive: true });
  const init = spawn("git", ["init", "--quiet", "--bare", "--initial-branch=main", gitDir], { stdio: "inherit" });
  await once(init, "close");
  const child = spawn("git", ["-C", gitDir, "fast-import", "--quiet", "--done"], {
    stdio: ["pipe", "inherit", "inherit"],
  });
  const say = async (text: string) => {
    if (!child.stdin.write(text)) await once(child.stdin, "drain");
  };
  await say(commitHead(0));
  for (let file = 0; file < files; file++) await say(change(file, 0));
  for (let commit = 1; commit < commits; commit++) {
    await say(commitHead(commit));
    for (let i = 0; i < FILES_PER_COMMIT; i++) await say(change((commit * 7919 + i * 104_729) % files, commit));
  }
  child.stdin.end("done\n");
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`git fast-import ended with status ${String(code)}`);
}

/** packages/007/src/part-03/file-11.ts and the like: as deep as real trees are. */
export function pathOf(file: number): string {
  const folder = Math.floor(file / FILES_PER_FOLDER);
  const two = (value: number) => String(value).padStart(2, "0");
  return `packages/${two(folder % 97)}/src/part-${two(Math.floor(folder / 97))}/file-${two(file % FILES_PER_FOLDER)}.ts`;
}

function commitHead(commit: number): string {
  const message = `Commit ${commit}\n`;
  const when = 1_700_000_000 + commit * 60;
  return `commit refs/heads/main\ncommitter Ada <ada@example.com> ${when} +0000\ndata ${message.length}\n${message}`;
}

function change(file: number, commit: number): string {
  const lines = Array.from({ length: LINES }, (_, line) => {
    const version = line === (file + commit) % LINES ? commit : 0;
    return `export const value${line} = ${(file * 31 + line * 17) % 9973} + ${version}; // ${file}`;
  });
  const text = `${lines.join("\n")}\n`;
  return `M 100644 inline ${pathOf(file)}\ndata ${text.length}\n${text}\n`;
}

if (import.meta.main) {
  const [gitDir = "", files, commits] = process.argv.slice(2);
  await makeRepository(gitDir, { files: Number(files), commits: Number(commits) });
}
