/** The delegate tool: the agent hands a self-contained piece of its work to a sub-agent and reads the report. */
import { z } from "zod";
import type { SubAgentRole } from "../journal.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { defineTool } from "../tools/define-tool.ts";
import { ToolRefusal, type Tool } from "../tools/tool.ts";
import { unreachable } from "../failure.ts";
import type { ModelChain } from "../model/model.ts";
import { openReportingToolset, renderReport } from "./reporting.ts";
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
  let begun = 0;
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

type Piece = { readonly id: string; readonly role: SubAgentRole; readonly task: string };

async function delegate(delegation: Delegation, { id, role, task }: Piece, signal: AbortSignal): Promise<string> {
  const { ground, guidance } = delegation;
  const models = await delegation.openModels(role);
  const session = role === "test-writer" ? delegation.session : delegation.readOnlySession;
  const { toolset, reports, report } = openReportingToolset({
    ...{ session, goal: goalOf(role), editing: models[0].facts.editing, onPlan: () => {} },
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
