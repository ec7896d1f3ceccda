/** The agent loop: ask the model, run the calls it made, until it has reported or a limit ends it. Every step is journaled first. */
import type { Journal, JournalEntry, Usage } from "../journal.ts";
import type { RunLimits } from "../settings.ts";
import type { Ending, Spend } from "../outcome.ts";
import { costUsd } from "../model/catalog.ts";
import type { Message, Model } from "../model/model.ts";
import { replyWithRetry } from "../model/retry.ts";
import { budgetState, nameTimeLimit, type BudgetState } from "../policy/budget.ts";
import { dispatchCalls } from "../tools/dispatch.ts";
import type { Toolset } from "../tools/toolset.ts";
import { unreachable } from "../failure.ts";
import { explainModelError } from "./model-failure.ts";
import { nextStep } from "./next-step.ts";
import type { SystemPrompt } from "./system-prompt.ts";
import { turnMessages } from "./transcript.ts";

export type Agent = {
  readonly model: Model;
  readonly toolset: Toolset;
  readonly system: SystemPrompt;
  readonly brief: string;
  readonly journal: Journal;
  readonly limits: RunLimits;
  /** Names the run to the vendor's prompt cache. */
  readonly cacheKey: string;
  /** Whether the report tool has been called. */
  readonly hasReported: () => boolean;
  /** Writes one reply's usage to the ledger; the next call starts only after it resolves. */
  readonly charge: (turn: number, model: string, usage: Usage, costUsd: number) => Promise<void>;
  readonly now: () => number;
};

export type AgentEnd = {
  readonly ending: Ending | { readonly kind: "refused" };
  /** The model's last words, for a run that ended without a report. */
  readonly lastText: string;
  readonly spend: Spend;
};

/** Output tokens of one reply, thinking included: enough for a large file in one call, little enough to stream in minutes. */
const OUTPUT_TOKENS_MAX = 32_000;

/** Runs until the end. A limit is an end like any other; a vendor that cannot be reached throws, as does the caller's abort. */
export async function runAgent(agent: Agent, signal: AbortSignal): Promise<AgentEnd> {
  const run = new AgentRun(agent);
  const deadline = AbortSignal.timeout(agent.limits.wallMsMax);
  try {
    return await run.toItsEnd(AbortSignal.any([signal, deadline]));
  } catch (error) {
    // Only our own deadline is a limit; whoever aborted from outside wants the abort.
    if (signal.aborted || !deadline.aborted) throw error;
    return run.end({ kind: "limit", limit: nameTimeLimit(agent.limits.wallMsMax) });
  }
}

class AgentRun {
  readonly #agent: Agent;
  readonly #messages: Message[];
  readonly #startedAt: number;
  #turn = 0;
  #nudges = 0;
  #usd = 0;
  #input = 0;
  #output = 0;
  #lastText = "";
  #warned = false;

  constructor(agent: Agent) {
    this.#agent = agent;
    this.#startedAt = agent.now();
    this.#messages = [{ kind: "user", text: agent.brief }];
  }

  async toItsEnd(signal: AbortSignal): Promise<AgentEnd> {
    const { model, journal, system, brief } = this.#agent;
    await journal.append({ kind: "briefed", model: model.id, promptHash: system.hash, brief });
    for (;;) {
      const budget = this.#budget();
      if (budget.kind === "over") return this.end({ kind: "limit", limit: budget.limit });
      if (budget.kind === "near") await this.#warn(budget.limit);
      this.#turn += 1;
      const reply = await this.#ask(signal);
      const step = nextStep(reply, this.#nudges);
      switch (step.kind) {
        case "dispatch":
          await this.#dispatch(reply, step.calls, signal);
          if (this.#agent.hasReported()) return this.end({ kind: "reported" });
          break;
        case "ask-again":
          this.#messages.push(...turnMessages(reply, []));
          // A vendor's pause is not the model's silence: it is asked on without a word, and counts as a turn only.
          if (step.text === null) break;
          this.#nudges += 1;
          await this.#steer(step.text);
          break;
        case "end":
          return this.end(step.how === "refused" ? { kind: "refused" } : { kind: "reported" });
        default:
          return unreachable(step);
      }
    }
  }

  end(ending: AgentEnd["ending"]): AgentEnd {
    return {
      ending,
      lastText: this.#lastText,
      spend: {
        usd: this.#usd,
        turns: this.#turn,
        wallMs: this.#agent.now() - this.#startedAt,
        inputTokens: this.#input,
        outputTokens: this.#output,
        model: this.#agent.model.id,
      },
    };
  }

  async #ask(signal: AbortSignal): Promise<Extract<JournalEntry, { kind: "model-replied" }>> {
    const { model, toolset, system, cacheKey, journal, now, charge } = this.#agent;
    const askedAt = now();
    const outputTokensMax = Math.min(OUTPUT_TOKENS_MAX, model.facts.outputTokensMax);
    const request = {
      system: system.text,
      tools: toolset.specs,
      messages: [...this.#messages],
      outputTokensMax,
      cacheKey,
    };
    const reply = await replyWithRetry(model, request, {
      signal,
      onRetry: ({ reason, waitMs }) => journal.append({ kind: "model-retried", model: model.id, reason, waitMs }),
    }).catch((error: unknown) => {
      throw explainModelError(error, model.id);
    });
    const cost = costUsd(reply.usage, model.facts.prices);
    const { usage } = reply;
    this.#usd += cost;
    this.#input += usage.input + usage.cachedRead + usage.cacheWrite;
    this.#output += usage.output;
    const said = reply.parts.flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
    if (said !== "") this.#lastText = said;
    const entry = {
      kind: "model-replied",
      turn: this.#turn,
      model: model.id,
      ...{ parts: reply.parts, stop: reply.stop, usage, opaque: reply.opaque },
      costUsd: cost,
      wallMs: now() - askedAt,
    } as const;
    await journal.append(entry);
    await charge(this.#turn, model.id, usage, cost);
    return entry;
  }

  async #dispatch(
    reply: Extract<JournalEntry, { kind: "model-replied" }>,
    calls: Parameters<typeof dispatchCalls>[1],
    signal: AbortSignal,
  ): Promise<void> {
    const { journal, toolset, now } = this.#agent;
    const turn = this.#turn;
    const observed: Extract<JournalEntry, { kind: "tool-observed" }>[] = [];
    for (const call of calls) await journal.append({ kind: "tool-called", turn, call });
    await dispatchCalls(toolset, calls, {
      signal,
      now,
      onResult: async ({ call, observation, wallMs, command, edits }) => {
        const told = edits.length > 0 ? { edits } : {};
        const entry = { kind: "tool-observed", turn, tool: call.tool, observation, wallMs, command, ...told } as const;
        observed.push(entry);
        await journal.append(entry);
      },
    });
    this.#messages.push(...turnMessages(reply, observed));
  }

  /** Said once: a model that is told at each turn spends its last turns on answering us. */
  async #warn(limit: string): Promise<void> {
    if (this.#warned) return;
    this.#warned = true;
    await this.#steer(
      `You have used most of this run's limit on ${limit}. Finish what you have, leave the tree in a working state and call report.`,
    );
  }

  async #steer(text: string): Promise<void> {
    await this.#agent.journal.append({ kind: "steered", text });
    this.#messages.push({ kind: "user", text });
  }

  #budget(): BudgetState {
    const wallMs = this.#agent.now() - this.#startedAt;
    return budgetState({ turns: this.#turn, wallMs, usd: this.#usd }, this.#agent.limits);
  }
}
