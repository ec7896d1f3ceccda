import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { z } from "zod";
import { defineTool } from "../../src/tools/define-tool.ts";
import { dispatchCalls, type CallResult } from "../../src/tools/dispatch.ts";
import { effectOf, type Tool } from "../../src/tools/tool.ts";
import { truncate } from "../../src/tools/truncate.ts";
import { openWorkbench } from "./workbench.ts";

const run = async (tools: readonly Tool[], names: readonly string[], signal = new AbortController().signal) => {
  const toolset = { tools, specs: tools.map(({ spec }) => spec) };
  const results: CallResult[] = [];
  const calls = names.map((tool, i) => ({ id: `${i}`, tool, input: {} }));
  const observations = await dispatchCalls(toolset, calls, {
    signal,
    now: () => 0,
    onResult: (result) => void results.push(result),
  });
  return { observations, results };
};

/** A tool that writes down when it begins and ends. */
function spyTool(
  name: string,
  effect: Tool["effect"],
  log: string[],
  body: (signal: AbortSignal) => Promise<void> = async () => {},
): Tool {
  const tool = defineTool({
    name,
    describedIn: new URL("../../src/tools/plan.md", import.meta.url),
    effect,
    input: z.object({}),
    run: async (_, signal) => {
      log.push(`${name} begins`);
      await body(signal);
      log.push(`${name} ends`);
      return { text: name };
    },
  });
  return tool;
}

test("readers run side by side, writers alone and in order, observations come in the order of the calls", async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const tools = [
    spyTool("slow", "reads", log, () => gate.promise),
    spyTool("quick", "reads", log, async () => gate.resolve()),
    spyTool("writer", "writes", log),
  ];
  const { observations, results } = await run(tools, ["slow", "quick", "writer", "writer", "quick"]);
  expect(observations.map(({ callId, text }) => `${callId} ${text}`)).toEqual([
    "0 slow",
    "1 quick",
    "2 writer",
    "3 writer",
    "4 quick",
  ]);
  expect(results.map(({ call }) => call.id)).toEqual(["0", "1", "2", "3", "4"]);
  expect(log.slice(0, 2)).toEqual(["slow begins", "quick begins"]);
  expect(log.slice(4)).toEqual([
    "writer begins",
    "writer ends",
    "writer begins",
    "writer ends",
    "quick begins",
    "quick ends",
  ]);
});

test("a view by a tool that also writes is a reader", async () => {
  const calls = [
    ["edit", { command: "view", path: "a" }],
    ["notebook", { command: "view", path: "a.ipynb" }],
    ["read", { files: ["a"] }],
    ["edit", { command: "create", path: "a", file_text: "" }],
    ["edit", { command: "undo_edit", path: "a" }],
    ["notebook", { command: "delete", path: "a.ipynb", index: 0 }],
    ["edit", "view"],
    ["shell", { command: "view" }],
  ] as const;
  await using bench = await openWorkbench();
  const effects = calls.map(([name, input]) => {
    const tool = bench.toolset.tools.find(({ spec }) => spec.name === name);
    return tool && effectOf(tool, input);
  });
  expect(effects).toEqual(["reads", "reads", "reads", "writes", "writes", "writes", "writes", "writes"]);
});

test("at most eight readers run at once", async () => {
  let running = 0;
  let most = 0;
  const reader = spyTool("reader", "reads", [], async () => {
    running += 1;
    most = Math.max(most, running);
    await delay(1);
    running -= 1;
  });
  expect(
    (
      await run(
        [reader],
        Array.from({ length: 20 }, () => "reader"),
      )
    ).observations,
  ).toHaveLength(20);
  expect(most).toBe(8);
});

test("a defect in a tool is thrown, after what ran beside it has ended", async () => {
  const log: string[] = [];
  const broken = spyTool("broken", "reads", log, async () => {
    throw new TypeError("a defect");
  });
  const slow = spyTool("slow", "reads", log, () => delay(5));
  await expect(run([broken, slow], ["broken", "slow"])).rejects.toThrow("a defect");
  expect(log).toContain("slow ends");
});

test("an abort rejects, even when the tool ends in peace", async () => {
  const abort = new AbortController();
  const tool = spyTool("tool", "writes", [], async () => abort.abort(new Error("stopped")));
  await expect(run([tool], ["tool", "tool"], abort.signal)).rejects.toThrow("stopped");
});

test("calls to repair say how", async () => {
  await using bench = await openWorkbench();
  expect(await bench.call("grep", {})).toBe(
    'error: There is no tool "grep". Tools: edit, history, notebook, plan, read, report, search, shell, undo.',
  );
  expect(await bench.call("shell", '{"command": "echo')).toMatch(
    /^error: The arguments of shell are not valid JSON; send one JSON object\. /,
  );
  expect(await bench.call("shell", '{"command": "echo hi"}')).toContain("hi");
  expect(await bench.call("shell", { command: ["ls"] })).toBe(
    "error: Wrong arguments for shell, nothing was done:\n- command: Invalid input: expected string, received array",
  );
  expect(await bench.call("shell", { command: "echo hi", timeout_seconds: "5", restart: null })).toContain("hi");
  const steps = [{ step: "a", status: "doing" }];
  expect(await bench.call("plan", { steps })).toContain("- steps.0.status: Invalid option");
});

test("an argument that a tool does not know is named, unless it is empty", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "x\n" } });
  expect(await bench.call("search", { pattern: "x", include: "*.ts", glob: "", head: null, more: [] })).toBe(
    "ok: a.txt\n1: x\n[not known to search, so without effect: include]",
  );
  expect(await bench.call("edit", { command: "view", path: "a.txt", file_text: "y", recursive: true })).toBe(
    "ok:      1\tx\n[not known to edit, so without effect: recursive]",
  );
  expect(await bench.call("search", { pattern: "(", include: "*.ts" })).toContain("without effect: include]");
});

test("an observation is bounded whatever the tool says", async () => {
  const loud = defineTool({
    name: "loud",
    describedIn: new URL("../../src/tools/plan.md", import.meta.url),
    effect: "reads",
    input: z.object({}),
    run: async () => ({ text: "é\n".repeat(100_000) }),
  });
  const { observations } = await run([loud], ["loud"]);
  expect(Buffer.byteLength(observations[0]?.text ?? "")).toBeLessThan(50_000);
});

test("a cut keeps whole lines of head and tail and counts what is missing", () => {
  const text = Array.from({ length: 100 }, (_, i) => `line ${i}`).join("\n");
  const cut = truncate(text, 100);
  expect(cut).toBe(
    "line 0\nline 1\nline 2\nline 3\nline 4\n[… 88 lines, 699 bytes cut …]\nline 93\nline 94\nline 95\nline 96\nline 97\nline 98\nline 99",
  );
  expect(truncate("ü".repeat(1000), 101)).toMatch(/^ü{20}\[… 0 lines, 1900 bytes cut …\]\nü{30}$/);
  expect(truncate("short", 100)).toBe("short");
});
