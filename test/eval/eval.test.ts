import { execa } from "execa";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startModels, type Script } from "../../sim/models/models.ts";
import { readCases } from "../../src/eval/cases.ts";
import { sumScores } from "../../src/eval/score.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

async function openCases(cases: Readonly<Record<string, Readonly<Record<string, string>>>>) {
  const dir = await mkdtemp(join(tmpdir(), "pw-eval-"));
  for (const [name, files] of Object.entries(cases)) {
    await mkdir(join(dir, "cases", name, "repo"), { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeFile(join(dir, "cases", name, path), text);
  }
  return {
    dir: join(dir, "cases"),
    dataDir: join(dir, "data"),
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
}

const report = { do: "call", tool: "report", input: { title: "Done", summary: "Done." } } as const;
const SCRIPT: Script = {
  conversations: [
    {
      name: "mends",
      match: ["say hello"],
      turns: [
        { do: [{ do: "view", path: "greet.sh" }] },
        { do: [{ do: "edit", path: "greet.sh", old: "echo helo", new: "echo hello" }] },
        { do: [report] },
      ],
    },
    { name: "does nothing", turns: [{ do: [report] }] },
  ],
};

test("each case is run and judged by its own check, and the rate is what was resolved", async () => {
  const repo = { "repo/greet.sh": "echo helo\n", check: '[ "$(sh greet.sh)" = hello ]' };
  await using cases = await openCases({
    easy: { ...repo, "task.md": "Make it say hello." },
    hard: { ...repo, "task.md": "Make it greet." },
  });
  await using models = await startModels({ script: SCRIPT });
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", PULLWRIGHT_DATA: cases.dataDir, PULLWRIGHT_SECOND_OPINION: "off" },
    ...{ ANTHROPIC_API_KEY: "sk-ant-test", ANTHROPIC_BASE_URL: models.anthropicBaseUrl },
  };
  const { stdout } = await execa(BIN, ["eval", cases.dir, "--json"], { env, extendEnv: false });
  const { totals, scores } = JSON.parse(stdout);
  expect(totals).toMatchObject({ cases: 2, resolved: 1, rate: 0.5 });
  expect(scores.map(({ name, isResolved, turns }: Record<string, unknown>) => [name, isResolved, turns])).toEqual([
    ["easy", true, 3],
    ["hard", false, 1],
  ]);
  expect(await readdir(join(cases.dataDir, "eval"))).toEqual([]);
});

test("a folder that is no case is refused by name", async () => {
  await using cases = await openCases({ odd: { "task.md": "x" } });
  await expect(readCases(cases.dir)).rejects.toThrow("is not a case: it needs repo/, task.md and check");
  await expect(readCases(join(cases.dir, "none"))).rejects.toThrow("cannot be read");
});

test("what nobody resolved has no price", () => {
  expect(sumScores([])).toEqual({ cases: 0, resolved: 0, rate: 0, usd: 0, usdPerResolved: null });
  const score = { name: "a", isResolved: true, usd: 0.5, turns: 1, wallMs: 1 };
  expect(sumScores([score, { ...score, isResolved: false }])).toMatchObject({ rate: 0.5, usd: 1, usdPerResolved: 1 });
});
