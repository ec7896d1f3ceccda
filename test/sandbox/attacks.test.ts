/**
 * The attack suite: every attack of test/sandbox/attacks against each driver, as whoever runs the tests and, where that is root, as an
 * ordinary user too, who has no control groups and no uid to spare.
 */
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { ATTACKS } from "./attacks/judge.ts";
import { openTestEngine } from "./container-engine.ts";
import { isRoot } from "./open-session.ts";

const RUNNER = join(import.meta.dirname, "attacks/run-attacks.ts");
/** No account need exist for it. */
const ORDINARY_ID = 23456;
const ORDINARY = ["setpriv", `--reuid=${ORDINARY_ID}`, `--regid=${ORDINARY_ID}`, "--clear-groups", "--"];
/** What an attack can say besides "held": a machine without 32-bit calls cannot refuse them. */
const Judged = z.object({ name: z.string(), verdict: z.looseObject({ kind: z.string() }) });

const users = isRoot
  ? [
      { user: "root", prefix: [] },
      { user: "an ordinary user", prefix: ORDINARY },
    ]
  : [{ user: "an ordinary user", prefix: [] }];

const engine = await openTestEngine();
afterAll(() => (typeof engine === "string" ? undefined : engine[Symbol.asyncDispose]()));

test.each(users)("as $user the sandbox holds against every attack", { timeout: 400_000 }, async ({ prefix }) => {
  await holdAgainstAll(prefix, { PULLWRIGHT_SANDBOX: "bubblewrap" });
});

/**
 * An ordinary user who may ask an engine is root by it, and shares the count of their processes with everything else they run: an
 * attack that is still ending may well fail the next command, which was seen once. So that half runs on request, `ATTACKS=all`.
 */
const containerUsers = process.env["ATTACKS"] === "all" ? users : users.slice(0, 1);

test.each(containerUsers)(
  `as $user a container holds against every attack${typeof engine === "string" ? `: ${engine}` : ""}`,
  { timeout: 400_000, skip: typeof engine === "string" },
  async ({ prefix }) => {
    if (typeof engine === "string") return;
    const { image, socketPath } = engine.settings;
    if (prefix.length > 0) await engine.admit(ORDINARY_ID);
    const chosen = { PULLWRIGHT_SANDBOX_IMAGE: image, DOCKER_HOST: `unix://${socketPath}` };
    await holdAgainstAll(prefix, { PULLWRIGHT_SANDBOX: "container", ...chosen });
  },
);

async function holdAgainstAll(prefix: readonly string[], settings: Readonly<Record<string, string>>): Promise<void> {
  // A shell that leaves descriptors open, as those that start servers do.
  const script = 'exec 9</etc/hostname 27</ 251<&9; exec "$@"';
  const argv = ["-c", script, "sh", ...prefix, process.execPath, RUNNER];
  const env = { ...process.env, ...settings };
  const runner = spawn("bash", argv, { stdio: ["ignore", "pipe", "inherit"], env });
  const lines = (await text(runner.stdout)).trim().split("\n");
  const judged = lines.map((line) => Judged.parse(JSON.parse(line)));
  expect(judged.filter(({ verdict }) => verdict.kind !== "held" && verdict.kind !== "skipped")).toEqual([]);
  expect(judged.map(({ name }) => name).sort()).toEqual(ATTACKS.map(({ name }) => name).sort());
}

test("the table holds sixty attacks or more, each named once", () => {
  expect(ATTACKS.length).toBeGreaterThanOrEqual(60);
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
});
