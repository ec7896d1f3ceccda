/**
 * The attack suite: every attack of test/sandbox/attacks against each driver, as whoever runs the tests and, where that is root, as an
 * ordinary user too, who has no control groups and no uid to spare.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
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

test.each(users)("as $user the sandbox holds against every attack", { timeout: 600_000 }, async ({ prefix }) => {
  await holdAgainstAll(prefix, { PULLWRIGHT_SANDBOX: "bubblewrap" });
});

test.each(users)(
  `as $user a container holds against every attack${typeof engine === "string" ? `: ${engine}` : ""}`,
  { timeout: 600_000, skip: typeof engine === "string" },
  async ({ prefix }) => {
    if (typeof engine === "string") return;
    const { image, socketPath } = engine.settings;
    if (prefix.length > 0) await engine.admit(ORDINARY_ID);
    const chosen = { PULLWRIGHT_SANDBOX_IMAGE: image, DOCKER_HOST: `unix://${socketPath}` };
    await holdAgainstAll(prefix, { PULLWRIGHT_SANDBOX: "container", ...chosen });
  },
);

test(
  `what an ordinary user runs elsewhere takes nothing from a container${typeof engine === "string" ? `: ${engine}` : ""}`,
  { skip: typeof engine === "string" || !isRoot },
  async () => {
    if (typeof engine === "string") return;
    const { image, socketPath } = engine.settings;
    await engine.admit(ORDINARY_ID);
    const chosen = { PULLWRIGHT_SANDBOX_IMAGE: image, DOCKER_HOST: `unix://${socketPath}` };
    const [program = "", ...rest] = [...ORDINARY, "perl", "-e", HERD];
    const herd = spawn(program, rest, { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await once(herd.stdout, "data");
      const judged = await judge(ORDINARY, { PULLWRIGHT_SANDBOX: "container", ...chosen }, ["threads than it may"]);
      expect(judged).toEqual([{ name: "keeps more threads than it may", verdict: { kind: "held" } }]);
    } finally {
      herd.stdin.end();
    }
  },
);

/** More processes than that attack is allowed, until the input ends. */
const HERD =
  'my @all; for (1 .. 200) { my $p = fork; if (!$p) { sleep 600; exit } push @all, $p } print "there\\n"; close STDOUT; <STDIN>; kill 9, @all';

async function holdAgainstAll(prefix: readonly string[], settings: Readonly<Record<string, string>>): Promise<void> {
  const judged = await judge(prefix, settings);
  expect(judged.filter(({ verdict }) => verdict.kind !== "held" && verdict.kind !== "skipped")).toEqual([]);
  expect(judged.map(({ name }) => name).sort()).toEqual(ATTACKS.map(({ name }) => name).sort());
}

/** Those attacks whose name holds one of the words, or all. */
async function judge(
  prefix: readonly string[],
  settings: Readonly<Record<string, string>>,
  words: readonly string[] = [],
): Promise<readonly z.infer<typeof Judged>[]> {
  // A shell that leaves descriptors open, as those that start servers do.
  const script = 'exec 9</etc/hostname 27</ 251<&9; exec "$@"';
  const argv = ["-c", script, "sh", ...prefix, process.execPath, RUNNER, ...words];
  const env = { ...process.env, ...settings };
  const runner = spawn("bash", argv, { stdio: ["ignore", "pipe", "inherit"], env });
  const lines = (await text(runner.stdout)).trim().split("\n");
  return lines.map((line) => Judged.parse(JSON.parse(line)));
}

test("the table holds sixty attacks or more, each named once", () => {
  expect(ATTACKS.length).toBeGreaterThanOrEqual(60);
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length);
});
