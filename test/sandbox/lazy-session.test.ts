import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { lazySession } from "../../src/sandbox/lazy-session.ts";
import { LIMITS, MIB, TOOLS } from "./open-session.ts";

const PWD = { argv: ["pwd"], cwd: "", stdin: "", timeoutMs: 30_000, outputBytesMax: MIB };

async function openCounted() {
  const workspaceDir = await mkdtemp(join(tmpdir(), "lazy-session-"));
  const counted = { opened: 0 };
  const session = lazySession(() => {
    counted.opened += 1;
    return bubblewrapSandbox(TOOLS).open({ workspaceDir, readOnlyPaths: [], isReadOnly: true, limits: LIMITS });
  });
  return { session, counted, workspaceDir, remove: () => rm(workspaceDir, { recursive: true, force: true }) };
}

test("a lazy session that runs no command is never opened, and closes", async () => {
  const { session, counted, remove } = await openCounted();
  await session[Symbol.asyncDispose]();
  expect(counted.opened).toBe(0);
  await remove();
});

test("a lazy session is opened once, even by two commands at once", async () => {
  const { session, counted, remove } = await openCounted();
  const signal = new AbortController().signal;
  const results = await Promise.all([session.exec(PWD, signal), session.exec(PWD, signal)]);
  expect(results.map(({ stdout }) => stdout.toString())).toEqual(["/workspace\n", "/workspace\n"]);
  expect(counted.opened).toBe(1);
  await session[Symbol.asyncDispose]();
  await remove();
});

test("a lazy session that was closed opens nothing for a late command", async () => {
  const { session, counted, remove } = await openCounted();
  await session[Symbol.asyncDispose]();
  await expect(session.exec(PWD, new AbortController().signal)).rejects.toThrow("was closed");
  expect(counted.opened).toBe(0);
  await remove();
});

test("what keeps a lazy session from opening is told by each command, and it still closes", async () => {
  const session = lazySession(() => Promise.reject(new Error("no sandbox here")));
  const signal = new AbortController().signal;
  await expect(session.exec(PWD, signal)).rejects.toThrow("no sandbox here");
  await expect(session.exec(PWD, signal)).rejects.toThrow("no sandbox here");
  await session[Symbol.asyncDispose]();
});
