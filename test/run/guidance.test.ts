import { expect, test } from "vitest";
import { readGuidance, selectGuidance } from "../../src/run/guidance.ts";
import { parseRepoSettings } from "../../src/run/repo-settings.ts";
import { openRepository } from "../workspace/repository.ts";

test("guidance holds from the root down to the touched folders, the override before the plain file", () => {
  const listed = [
    "AGENTS.md",
    "a/AGENTS.md",
    "a/AGENTS.override.md",
    "a/b/AGENTS.md",
    "c/AGENTS.md",
    "NOTAGENTS.md",
    "src/x.ts",
  ];
  expect(selectGuidance(listed, ["a/b/x.ts"])).toEqual({
    inForce: ["AGENTS.md", "a/AGENTS.override.md", "a/b/AGENTS.md"],
    elsewhere: ["c/AGENTS.md"],
  });
  expect(selectGuidance(listed, [])).toEqual({
    inForce: ["AGENTS.md"],
    elsewhere: ["a/AGENTS.override.md", "c/AGENTS.md", "a/b/AGENTS.md"],
  });
});

test("guidance is read at the base commit and cut at 32 KiB, which is said", async () => {
  await using repository = await openRepository(
    { "AGENTS.md": "x".repeat(40_000), "a/AGENTS.md": "near" },
    { "AGENTS.md": "evil" },
  );
  const guidance = await readGuidance(
    { gitDir: repository.mirror.gitDir, workTree: null },
    repository.commits[0] ?? "",
    ["a/x"],
  );
  expect(guidance.files.map(({ path, text, isCut }) => [path, text.length, isCut])).toEqual([
    ["AGENTS.md", 32_768, true],
  ]);
  expect(guidance.unread).toEqual(["a/AGENTS.md"]);
});

test("repository settings have defaults", async () => {
  expect(await parseRepoSettings("")).toEqual({
    checks: [],
    checkout: { sparse: [], submodules: false, lfs: false },
    models: {},
    second_opinion: { enabled: true, tests: false },
    limits: {},
    network: { setup: [], agent: [], registries: true },
    review: { automatic: true, drafts: false, setup: false, batch: false, cache: false },
  });
  expect((await parseRepoSettings("checks: [npm test]\nlimits: { usd: 2 }\n")).checks).toEqual(["npm test"]);
  const review = { automatic: true, drafts: false, setup: false, batch: true, cache: true };
  expect((await parseRepoSettings("review: { batch: true, cache: true }\n")).review).toEqual(review);
});

test.each([
  ["an unknown key", "checks: []\nlabels: x\n", "line 2, `labels`"],
  ["an unknown key below", "review:\n  automatic: true\n  depth: 3\n", "line 3, `review.depth`"],
  ["a wrong type", "limits:\n  usd: much\n", "line 2, `limits.usd`"],
  ["broken YAML", "checks: [\n", "line"],
])("%s is refused with its line", async (_name, text, message) => {
  await expect(parseRepoSettings(text)).rejects.toThrow(message);
});
