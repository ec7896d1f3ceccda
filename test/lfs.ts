/** What Git LFS keeps, in tests: pointers, the stand-in's store, and git-lfs itself. */
import { execa } from "execa";
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { GitHub } from "../sim/github/github.ts";
import { lfsFile } from "../sim/github/lfs-http.ts";
import { renderPointer } from "../src/workspace/lfs-pointer.ts";
import { REPO } from "./github.ts";
import { GIT_ENV } from "./workspace/repository.ts";

export const LFS_RULE = "*.bin filter=lfs diff=lfs merge=lfs -text\n";

export function oidOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** As committed in place of a file that holds `text`. */
export function pointerTo(text: string): string {
  return renderPointer({ oid: oidOf(text), bytes: Buffer.byteLength(text) });
}

/** Puts what `as` says, else `text` itself, where the stand-in keeps the object of `text`. */
export async function putObject(github: GitHub, text: string, as = text): Promise<void> {
  const file = lfsFile({ gitDir: github.gitDir(REPO) }, oidOf(text));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, as);
}

/** Null where git-lfs is not installed: scripts/setup.sh installs it for CI. */
export async function findGitLfs(): Promise<string | null> {
  const found = await execa("git", ["lfs", "version"], { reject: false });
  return found.exitCode === 0 ? found.stdout : null;
}

/** git with Git LFS turned on, as ada. */
export function lfsClient(github: GitHub, cwd: string) {
  const lfs = { process: "git-lfs filter-process", clean: "git-lfs clean -- %f", smudge: "git-lfs smudge -- %f" };
  const settings = Object.entries({ ...lfs, required: "true" }).flatMap(([key, value]) => [
    "-c",
    `filter.lfs.${key}=${value}`,
  ]);
  const url = new URL(`${github.url}/${REPO}.git`);
  url.username = "ada";
  url.password = github.tokenFor("ada");
  const env = { ...GIT_ENV, GIT_TERMINAL_PROMPT: "0" };
  return {
    url: url.href,
    git: async (...args: string[]) =>
      (await execa("git", [...settings, ...args], { cwd, env, extendEnv: false })).stdout,
  };
}
