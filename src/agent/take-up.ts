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

export async function takeUp(parts: TakeUp, signal: AbortSignal): Promise<Taken> {
  const { agent, resumption, conversation, steer } = parts;
  const { report, open, answered, turn } = resumption;
  agent.toolset.readState.restore(resumption.seen);
  if (report) await dispatchCalls(agent.toolset, [report], { signal, now: agent.now, onResult: () => {} }); // A value in our memory.
  if (resumption.hasReported && open === null) return { kind: "reported" };
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
