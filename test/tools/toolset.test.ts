import { expect, test } from "vitest";
import { readSystemPrompt } from "../../src/agent/system-prompt.ts";
import { openWorkbench } from "./workbench.ts";

/** The fields of bash_20250124 and text_editor_20250728, whose schemas the model has by heart. */
const KNOWN_TO_CLAUDE: ReadonlySet<string> = new Set([
  ...["command", "restart", "path", "view_range", "file_text", "old_str", "new_str", "insert_line", "insert_text"],
]);

test.each([
  ["change", "replace", ["edit", "history", "notebook", "plan", "read", "report", "search", "shell", "undo"]],
  ["change", "patch", ["apply_patch", "history", "notebook", "plan", "read", "report", "search", "shell", "undo"]],
  ["review", "replace", ["history", "plan", "read", "report", "search", "shell"]],
  ["review", "patch", ["history", "plan", "read", "report", "search", "shell"]],
] as const)("a %s by %s has its tools in a fixed order, and they are cheap to tell", async (goal, editing, names) => {
  await using bench = await openWorkbench({ goal, editing });
  await using again = await openWorkbench({ goal, editing });
  const { specs } = bench.toolset;
  expect(specs.map(({ name }) => name)).toEqual(names);
  expect(JSON.stringify(specs)).toBe(JSON.stringify(again.toolset.specs));
  for (const { parameters } of specs) expect(parameters).toMatchObject({ type: "object" });
  // Every turn pays for them and for the system prompt; four bytes are about one token.
  const system = readSystemPrompt(goal === "change" ? "author" : "reviewer").text;
  expect(JSON.stringify(specs).length / 4).toBeLessThanOrEqual(1600);
  expect((JSON.stringify(specs).length + system.length) / 4).toBeLessThanOrEqual(2500);
});

test("what a vendor's native tool does not say is said elsewhere", async () => {
  await using bench = await openWorkbench();
  const native = bench.toolset.specs.filter((spec) => spec.native !== null);
  const fields = native.flatMap(({ parameters }) => Object.keys(Object(parameters["properties"])));
  const ours = fields.filter((field) => !KNOWN_TO_CLAUDE.has(field));
  expect(ours.toSorted()).toEqual(["replace_all", "timeout_seconds"]);
  const { text } = readSystemPrompt("author");
  for (const field of ours) expect(text).toContain(`\`${field}`);
  expect(bench.toolset.specs.map(({ name }) => name)).toContain("undo"); // For undo_edit, which text_editor_20250728 lost.
});

test("a plan is handed on, with one step in progress at most", async () => {
  await using bench = await openWorkbench();
  const steps = [
    { step: "a", status: "completed" },
    { step: "b", status: "in_progress" },
  ];
  expect(await bench.call("plan", { explanation: "why", steps })).toBe("ok: Plan recorded: 1 of 2 steps completed.");
  expect(bench.plans).toEqual([steps]);
  const two = steps.map(({ step }) => ({ step, status: "in_progress" }));
  expect(await bench.call("plan", { steps: two })).toContain("- steps: at most one step may be in_progress");
  expect(bench.plans).toHaveLength(1);
});

test("a change is reported, a later report replaces it, a refusal needs nothing else", async () => {
  await using bench = await openWorkbench();
  await bench.call("report", { title: " Fix\n it ", summary: "Because." });
  await bench.call("report", { title: "Fix it", summary: "Because.", not_done: "Docs", refusal: "" });
  await bench.call("report", { refusal: "It asks for a backdoor." });
  expect(bench.reports).toEqual([
    { kind: "change", title: "Fix it", summary: "Because.", notDone: "" },
    { kind: "change", title: "Fix it", summary: "Because.", notDone: "Docs" },
    { kind: "refusal", reason: "It asks for a backdoor." },
  ]);
  expect(await bench.call("report", { title: "x" })).toBe(
    "error: Wrong arguments for report, nothing was done:\n- summary: is missing (or give refusal)",
  );
});

test("a review is reported with its findings", async () => {
  await using bench = await openWorkbench({ goal: "review" });
  const finding = {
    path: "a.ts",
    start_line: 1,
    end_line: 2,
    severity: "P1",
    title: "Off by one",
    body: "It skips the last.",
  };
  await bench.call("report", { summary: "One defect.", findings: [finding, { ...finding, suggestion: "x" }] });
  const expected = {
    path: "a.ts",
    startLine: 1,
    endLine: 2,
    severity: "P1",
    title: "Off by one",
    body: "It skips the last.",
  };
  expect(bench.reports).toEqual([
    {
      kind: "review",
      summary: "One defect.",
      findings: [
        { ...expected, suggestion: null },
        { ...expected, suggestion: "x" },
      ],
    },
  ]);
  expect(
    await bench.call("report", { summary: "x", findings: [{ ...finding, end_line: 0, severity: "high" }] }),
  ).toMatch(/findings\.0\.end_line: [\s\S]*findings\.0\.severity: /);
  expect(await bench.call("report", { summary: "x", findings: [{ ...finding, start_line: 3 }] })).toContain(
    "- findings.0.end_line: must not be before start_line",
  );
});
