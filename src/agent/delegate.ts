/** The delegate tool: the agent hands a self-contained piece of its work to a sub-agent and reads the report. */
import { z } from "zod";
import type { JournalEntry, SubAgentRole } from "../journal.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { defineTool } from "../tools/define-tool.ts";
import { ToolRefusal, type Tool } from "../tools/tool.ts";
import { unreachable } from "../failure.ts";
import type { ModelChain } from "../model/model.ts";
import { openReportingToolset, renderReport, traits } from "./reporting.ts";
import { runSubAgent, type SubAgentGround } from "./sub-agent.ts";

/** Of the money left, for one sub-agent: four at once still leave the run some. */
const SHARE = 0.2;
/** Each holds a transcript and waits for the sandbox in turn. */
const AT_ONCE_MAX = 4;
/** In one run: whoever delegates more does not work. */
const IN_ALL_MAX = 20;

const Input = z.object({
  role: z.enum(["explorer", "test-writer", "reviewer"]),
  task: z.string().trim().min(1).max(20_000),
});

export type Delegation = {
  readonly ground: SubAgentGround;
  readonly openModels: (role: SubAgentRole) => Promise<ModelChain>;
  /** The run's own workspace, and the same one where nothing can be written. */
  readonly session: SandboxSession;
  readonly readOnlySession: SandboxSession;
  /** The repository's guidance as the run's own brief has it, "" for none. */
  readonly guidance: string;
};

export function delegateTool(delegation: Delegation): Tool {
  let begun = countBegun(delegation.ground.past.written);
  let running = 0;
  let writing: Promise<unknown> = Promise.resolve();
  return defineTool({
    name: "delegate",
    describedIn: new URL("delegate.md", import.meta.url),
    effect: "reads", // Side by side; those that write wait for each other below.
    input: Input,
    run: async ({ role, task }, signal) => {
      if (begun >= IN_ALL_MAX) throw new ToolRefusal(`This run has had its ${IN_ALL_MAX} sub-agents. Do it yourself.`);
      if (running >= AT_ONCE_MAX)
        throw new ToolRefusal(`${AT_ONCE_MAX} sub-agents are at work; ask again when they are done.`);
      begun += 1;
      running += 1;
      const id = `${role}-${begun}`;
      const start = () => delegate(delegation, { id, role, task }, signal);
      try {
        if (role !== "test-writer") return { text: await start() };
        const turn = writing.then(start);
        writing = turn.catch(() => {}); // The caller has the error.
        return { text: await turn };
      } finally {
        running -= 1;
      }
    },
  });
}

/**
 * Those of calls that were observed, so that a call of the turn that was lost gets the number it had, and goes on with what was
 * written under it. Numbers are given in the order of the calls, and so are observations.
 */
function countBegun(written: readonly JournalEntry[]): number {
  const last = written.findLastIndex(({ kind }) => kind === "model-replied");
  const observed = written
    .slice(last + 1)
    .filter((entry) => entry.kind === "tool-observed" && entry.tool === "delegate");
  const [before, inTurn] = [readIds(written.slice(0, last + 1)), readIds(written.slice(last + 1))];
  return before.size + Math.min(observed.length, inTurn.size);
}

/** The second opinion's have other names (run/second-opinion.ts). */
function readIds(entries: readonly JournalEntry[]): ReadonlySet<string> {
  const ids = entries.flatMap((entry) => (entry.kind === "sub-agent" ? [entry.id] : []));
  return new Set(ids.filter((id) => /^(explorer|test-writer|reviewer)-\d+$/.test(id)));
}

type Piece = { readonly id: string; readonly role: SubAgentRole; readonly task: string };

async function delegate(delegation: Delegation, { id, role, task }: Piece, signal: AbortSignal): Promise<string> {
  const { ground, guidance } = delegation;
  const models = await delegation.openModels(role);
  const session = role === "test-writer" ? delegation.session : delegation.readOnlySession;
  const { toolset, reports, report } = openReportingToolset({
    ...{ session, goal: goalOf(role), ...traits(models[0]), onPlan: () => {} },
  });
  const brief = [`# Task\n\n${task}`, guidance].filter(Boolean).join("\n\n");
  const ended = await runSubAgent(ground, { id, role, models, toolset, brief, reports, share: SHARE }, signal);
  if (ended.kind === "failed") throw new ToolRefusal(`The sub-agent could not work: ${ended.why} Do it yourself.`);
  const { end } = ended;
  const said = renderReport(report()) || end.lastText || "It ended without a word.";
  switch (end.ending.kind) {
    case "reported":
      return said;
    case "refused":
      return "The sub-agent's model declined.";
    case "limit":
      return `It reached its limit on ${end.ending.limit}. What it has:\n\n${said}`;
    case "stopped":
      return said;
    default:
      return unreachable(end.ending);
  }
}

function goalOf(role: SubAgentRole): "answer" | "change" | "review" {
  switch (role) {
    case "explorer":
      return "answer";
    case "test-writer":
      return "change";
    case "reviewer":
      return "review";
    default:
      return unreachable(role);
  }
}
