/** What each role is told, as people review it: the prompt and every tool's words. A change shows here as prose. */
import { expect, test } from "vitest";
import { NO_PAST } from "../../src/agent/resumption.ts";
import { delegateTool } from "../../src/agent/delegate.ts";
import { openPurse } from "../../src/agent/purse.ts";
import { readSystemPrompt } from "../../src/agent/system-prompt.ts";
import type { SandboxSession } from "../../src/sandbox/sandbox.ts";
import { openToolset, type ToolsetOpening } from "../../src/tools/toolset.ts";
import { memoryJournal } from "./scene.ts";

const session: SandboxSession = {
  exec: () => Promise.reject(new Error("nothing runs here")),
  [Symbol.asyncDispose]: async () => {},
};

function toolsOf(goal: ToolsetOpening["goal"], editing: ToolsetOpening["editing"], mayDelegate: boolean) {
  const limits = { turnsMax: 1, wallMsMax: 1, usdMax: 1 };
  const purse = openPurse(async () => ({ kind: "ok" }));
  const ground = { journal: memoryJournal(), purse, limits, cacheKey: "k", past: NO_PAST, now: () => 0 };
  const openModels = () => Promise.reject(new Error("no model is asked here"));
  const delegate = delegateTool({ ground, openModels, session, readOnlySession: session, guidance: "" });
  const nothing = () => {};
  return openToolset({
    session,
    goal,
    editing,
    // As a run has it where the sandbox has a browser: the most that is ever told.
    ...{ sees: true, browser: mayDelegate ? "/usr/bin/chromium" : null },
    onPlan: nothing,
    onReport: nothing,
    more: mayDelegate ? [delegate] : [],
  });
}

const ROLES = [
  ["author", "change", "replace", true],
  ["author", "change", "patch", true],
  ["reviewer", "review", "replace", true],
  ["explorer", "answer", "replace", false],
  ["test-writer", "change", "patch", false],
] as const;

test.each(ROLES)(
  "the %s of a %s by %s is told this, in 2,500 tokens at most",
  async (role, goal, editing, mayDelegate) => {
    const system = readSystemPrompt(role);
    const { specs } = toolsOf(goal, editing, mayDelegate);
    const tools = specs.map(({ name, description, parameters, native }) => {
      const fields = `\`\`\`json\n${JSON.stringify(parameters)}\n\`\`\``;
      return `## ${name}${native === null ? "" : ` (native: ${native})`}\n\n${description}\n\n${fields}`;
    });
    const told = [`# ${role}`, system.text, "# Tools", ...tools].join("\n\n");
    await expect(`${told}\n`).toMatchFileSnapshot(`../golden/prompt-${role}-${editing}.md`);
    // About four bytes to a token; every turn pays for it.
    expect((JSON.stringify(specs).length + system.text.length) / 4).toBeLessThanOrEqual(2_500);
  },
);
