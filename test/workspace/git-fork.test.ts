/** The bash that starts git for a large process: whatever it starts ends as if we had started it, and nothing of it is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import { GitFork } from "../../src/workspace/git-fork.ts";
import { type GitStart, startDirectly } from "../../src/workspace/git-start.ts";

const ENV = { PATH: "/usr/bin:/bin", WORD: "two words\n'and' a \"quote\" $(id)" };

function start(script: string, more: Partial<GitStart> = {}): GitStart {
  return { words: ["sh", "-c", script, "sh", "-n", "a b", ""], env: ENV, cwd: tmpdir(), input: undefined, ...more };
}

async function openFork(): Promise<GitFork> {
  const fork = new GitFork();
  await expect.poll(() => fork.state).toBe("ready");
  return fork;
}

test("words, environment, folder, input and both outputs are those of a start of our own, byte for byte", async () => {
  const fork = await openFork();
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
  const starts = [
    start('printf "%s|" "$@"; env | sort; pwd; ls /proc/self/fd | wc -l'),
    start("cat; echo heard >&2", { input: bytes }),
    start("cat; exit 3"),
    start("kill -KILL $$"),
    start("true", { cwd: "/nowhere" }),
  ];
  for (const each of starts.slice(0, 3))
    expect(await fork.run(each, undefined)).toEqual(await startDirectly(each, undefined));
  expect(await fork.run(starts[3] ?? start(""), undefined)).toMatchObject({ code: 137, fault: null });
  expect((await fork.run(starts[4] ?? start(""), undefined)).code).not.toBe(0);
});

test("many at once end each with its own, in any order", async () => {
  const fork = await openFork();
  const all = Array.from({ length: 30 }, (_, i) =>
    fork.run(start(`sleep 0.${i % 3}; echo ${i}; exit ${i}`), undefined),
  );
  const ended = await Promise.all(all);
  expect(ended.map(({ code, stdout }) => [code, stdout.toString()])).toEqual(ended.map((_, i) => [i, `${i}\n`]));
});

test("a signal ends what was started, before it has begun too, and nothing else", async () => {
  const fork = await openFork();
  const other = fork.run(start("sleep 0.5; echo whole"), undefined);
  const ending = new AbortController();
  const slow = fork.run(start("exec sleep 3600"), ending.signal);
  ending.abort(new Error("enough"));
  await expect(slow).rejects.toThrow("enough");
  await expect(fork.run(start("exec sleep 3600"), AbortSignal.timeout(300))).rejects.toThrow("timeout");
  expect((await other).stdout.toString()).toBe("whole\n");
});

test("a process that is killed leaves neither its bash nor its folder", async () => {
  const module = join(import.meta.dirname, "../../src/workspace/git-fork.ts");
  const script =
    `const { GitFork } = await import(${JSON.stringify(module)}); const fork = new GitFork();` +
    `const end = await fork.run({ words: ["pwd"], env: process.env, cwd: "/", input: "" });` +
    `console.log(String(end.stdout)); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(createInterface(child.stdout), "line");
  expect(line).toBe("/");
  const list = async () => (await readdir(tmpdir())).filter((name) => name.startsWith(`pullwright-git-${child.pid}-`));
  expect(await list()).toHaveLength(1);
  child.kill("SIGKILL");
  await expect.poll(list, { timeout: 5_000 }).toEqual([]);
});
