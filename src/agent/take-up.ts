/** The first steps of an agent that another process began: what is left of its last turn, up to where the loop would ask again. */
import { dispatchCalls } from "../tools/dispatch.ts";
import type { Conversation } from "./conversation.ts";
import type { AgentEnd } from "./loop.ts";
import { nextStep } from "./next-step.ts";
import { lostObservation, type Past, type Resumption } from "./resumption.ts";
import { turnMessages } from "./transcript.ts";
import { runCalls, type TurnParts } from "./turn.ts";

export type TakeUp = {
  readonly agent: TurnParts & { readonly reports: () => number; readonly past: Pick<Past, "note"> };
  readonly resumption: Resumption;
  readonly conversation: Conversation;
  readonly steer: (text: string) => Promise<void>;
};

/** How the agent had ended, or that it goes on, and how often it was nudged on the way. */
export type Taken = AgentEnd["ending"] | { readonly kind: "go-on"; readonly nudges: number };

/** What was in the lost process's memory: what the model has seen, and the report it had handed in. True when that had ended the work. */
export async function recall({ agent, resumption }: TakeUp, signal: AbortSignal): Promise<boolean> {
  const { seen, report, hasReported, open } = resumption;
  agent.toolset.readState.restore(seen);
  if (report) await dispatchCalls(agent.toolset, [report], { signal, now: agent.now, onResult: () => {} });
  return hasReported && open === null;
}

/** After `recall`. */
export async function takeUp(parts: TakeUp, signal: AbortSignal): Promise<Taken> {
  const { agent, resumption, conversation, steer } = parts;
  const { open, answered, turn } = resumption;
  const before = agent.reports() - (resumption.hasReported ? 1 : 0);
  if (open) {
    const lost = open.lost.map((one) => lostObservation(turn, one));
    for (const entry of lost) await agent.journal.append(entry);
    const rest = await runCalls(agent, { turn, calls: open.rest }, signal);
    conversation.push(...turnMessages(open.reply, [...open.observed, ...lost, ...rest]));
    if (agent.reports() > before) return { kind: "reported" };
  }
  if (answered) {
    const step = nextStep(answered, resumption.nudges);
    if (step.kind === "end") return step.how === "refused" ? { kind: "refused" } : { kind: "reported" };
    if (step.kind === "ask-again" && step.text !== null) {
      await steer(step.text);
      return { kind: "go-on", nudges: 1 };
    }
  }
  if (agent.past.note !== null) await steer(agent.past.note);
  return { kind: "go-on", nudges: 0 };
}
