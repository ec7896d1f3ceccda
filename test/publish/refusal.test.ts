/** Evidence to class, class to words: pure. */
import { expect, test } from "vitest";
import { join } from "node:path";
import type { PushFacts } from "../../src/forge/forge.ts";
import {
  canRescue,
  classifyRefusal,
  PushRefused,
  readClosedDoor,
  type Pushed,
  type Refusal,
} from "../../src/publish/refusal.ts";

type There = Extract<PushFacts, { kind: "there" }>;
const there = (over: Partial<There> = {}): There => ({
  ...{ kind: "there", mayWrite: true, isReadOnly: false, isProtected: false, rules: [] },
  ...over,
});
const pushed = (over: Partial<Pushed> = {}): Pushed => ({
  ...{ branch: "side", isNew: false, workflows: [], largest: { path: "a.txt", bytes: 10 } },
  ...over,
});
const MB = 1024 * 1024;

const ROWS: readonly [facts: PushFacts, pushed: Pushed, kind: Refusal["kind"]][] = [
  [{ kind: "gone" }, pushed({ workflows: ["w"] }), "gone"],
  [{ kind: "suspended" }, pushed(), "suspended"],
  [there({ mayWrite: false, isReadOnly: true }), pushed(), "read-only"],
  [there({ mayWrite: false, isProtected: true }), pushed(), "permission"],
  [there({ isProtected: true }), pushed({ workflows: ["w"] }), "workflows"],
  [there({ isProtected: true }), pushed({ largest: { path: "big", bytes: 100 * MB + 1 } }), "too-large"],
  [there(), pushed({ largest: { path: "big", bytes: 100 * MB } }), "unknown"],
  [there({ isProtected: true }), pushed(), "protected"],
  [there({ rules: ["update"] }), pushed(), "protected"],
  [there({ rules: ["update"] }), pushed({ isNew: true }), "unknown"],
  [there({ rules: ["creation"] }), pushed(), "unknown"],
  [there({ rules: ["creation"] }), pushed({ isNew: true }), "protected"],
  // We do neither.
  [there({ rules: ["deletion", "non_fast_forward"] }), pushed(), "unknown"],
  [there(), pushed({ largest: null }), "unknown"],
];

test.each(ROWS)("%o with %o is told as %s", (facts, push, kind) => {
  expect(classifyRefusal(facts, push).kind).toBe(kind);
});

test("only what shuts the whole repository is a closed door", () => {
  const facts: readonly PushFacts[] = [{ kind: "gone" }, { kind: "suspended" }, there({ mayWrite: false })];
  expect([...facts, there({ isReadOnly: true })].map((one) => readClosedDoor(one)?.kind)).toEqual([
    ...["gone", "suspended", "permission", "read-only"],
  ]);
  expect(readClosedDoor(there({ isProtected: true, rules: ["update"] }))).toBeNull();
});

test("what the asker reads, for each class", async () => {
  const branch = "side";
  const rescued = { ref: "agent/12-rescue-0f6c2c", url: "https://github.com/acme/widget/commit/cc" };
  const conflicts = ["a.txt", "b`c.txt", ...["1", "2", "3", "4"].map((name) => `src/${name}.ts`)];
  const refusals: readonly Refusal[] = [
    { kind: "moved", branch, conflicts, isRewritten: false },
    { kind: "moved", branch, conflicts: ["a.txt"], isRewritten: true },
    { kind: "moving", branch },
    { kind: "branch-gone", branch },
    { kind: "taken", branch: "agent/12-x" },
    { kind: "gone" },
    { kind: "suspended" },
    { kind: "permission" },
    { kind: "read-only" },
    { kind: "workflows", paths: [".github/workflows/ci.yml"] },
    { kind: "too-large", path: "model.bin", bytes: 123 * MB + 1 },
    { kind: "lfs", status: 403 },
    { kind: "protected", branch, isProtected: true, rules: ["required_signatures", "update"] },
    { kind: "protected", branch, isProtected: false, rules: ["creation"] },
    { kind: "unknown", branch },
  ];
  const text = refusals.flatMap((refusal) => {
    const alone = `<!-- ${refusal.kind} -->\n\n${new PushRefused(refusal).message}\n`;
    return canRescue(refusal) ? [alone, `${new PushRefused(refusal, rescued).message}\n`] : [alone];
  });
  await expect(text.join("\n")).toMatchFileSnapshot(join(import.meta.dirname, "../golden/refusals.md"));
});
