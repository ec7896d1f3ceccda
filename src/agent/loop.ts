/** The agent loop: ask the model, run the calls it made, until it has reported or something ends it. Every step is journaled first. */
import type { Journal } from "../journal.ts";
import type { RunLimits } from "../settings.ts";
import type { Ending, Spend } from "../outcome.ts";
import { ModelError, type Effort, type Message, type ModelChain } from "../model/model.ts";
import { budgetState, nameTimeLimit, type BudgetState } from "../policy/budget.ts";
import type { Toolset } from "../tools/toolset.ts";
import { unreachable } from "../failure.ts";
import { openAsker, toReplied, type Asked, type Asker } from "./ask.ts";
import { makeRoom, mendRefusal } from "./compaction.ts";
import { openConversation, type Conversation } from "./conversation.ts";
import { explainModelError } from "./model-failure.ts";
import { nextStep } from "./next-step.ts";
import type { Purse } from "./purse.ts";
import { readResumption, type KeptSummary, type Past, type Resumption } from "./resumption.ts";
import { Stopped, type Inbox } from "./inbox.ts";
import type { SystemPrompt } from "./system-prompt.ts";
import { recall, takeUp } from "./take-up.ts";
import { spokenText, steerText, turnMessages, type Replied } from "./transcript.ts";
import { runCalls } from "./turn.ts";

export type Agent = {
  readonly models: ModelChain;
  readonly toolset: Toolset;
  readonly system: SystemPrompt;
  readonly brief: string;
  readonly journal: Journal;
  readonly limits: RunLimits;
  /** Names the run to the vendor's prompt cache. */
  readonly cacheKey: string;
  /** How hard the model thinks; null leaves it to the vendor. */
  readonly effort: Effort | null;
  /** How often the report tool has been called. */
  readonly reports: () => number;
  readonly purse: Purse;
  /** What people say to the run while it is live. */
  readonly inbox: Inbox;
  readonly past: Past;
  readonly now: () => number;
};

export type AgentEnd = {
  readonly ending: Ending | { readonly kind: "refused" };
  /** The model's last words, for a run that ended without a report. */
  readonly lastText: string;
  readonly spend: Spend;
};

type End = AgentEnd["ending"];

const WARNING = "You have used most of this run's limit on";

/** One agent's life: `work` to its report, then `goOn` when its work came back with remarks. */
export class AgentRun {
  readonly #agent: Agent;
  readonly #asker: Asker;
  readonly #startedAt: number;
  readonly #resumption: Resumption;
  readonly #conversation: Conversation;
  #turn: number;
  #nudges: number;
  #lastText: string;
  #warned: boolean;
  #summary: KeptSummary | null;

  constructor(agent: Agent) {
    const { models, journal, purse, now, past } = agent;
    const resumption = readResumption(past, agent.brief, agent.toolset);
    this.#agent = agent;
    this.#asker = openAsker({ models, journal, purse, now, switched: resumption.switches });
    this.#startedAt = now() - past.workedMs;
    this.#resumption = resumption;
    this.#conversation = openConversation(resumption.messages, resumption.counted);
    this.#turn = resumption.turn;
    this.#nudges = resumption.nudges;
    this.#lastText = resumption.lastText;
    this.#summary = resumption.summary;
    this.#warned = resumption.steers.some((text) => text.startsWith(WARNING));
  }

  /** A limit is an end like any other; models that cannot be reached throw, as does the caller's abort. */
  async work(signal: AbortSignal): Promise<AgentEnd> {
    const { system, brief, journal } = this.#agent;
    const model = this.#asker.model().id;
    if (this.#resumption.kind === "fresh") {
      await journal.append({ kind: "briefed", model, promptHash: system.hash, brief });
    } else {
      const steer = (text: string) => this.#steer(text);
      const parts = { agent: this.#agent, resumption: this.#resumption, conversation: this.#conversation, steer };
      if (await recall(parts, signal)) return this.#end({ kind: "reported" });
      return await this.#within(signal, async (inside) => {
        const taken = await takeUp(parts, inside);
        if (taken.kind !== "go-on") return taken;
        this.#nudges += taken.nudges;
        return await this.#toItsEnd(inside);
      });
    }
    return await this.#within(signal);
  }

  /** The same conversation, with this said by the harness. */
  async goOn(text: string, signal: AbortSignal): Promise<AgentEnd> {
    this.#nudges = 0;
    await this.#steer(text);
    return await this.#within(signal);
  }

  async #within(signal: AbortSignal, act = (inside: AbortSignal) => this.#toItsEnd(inside)): Promise<AgentEnd> {
    const { limits, inbox, now } = this.#agent;
    const deadline = AbortSignal.timeout(Math.max(0, limits.wallMsMax - (now() - this.#startedAt)));
    try {
      return this.#end(await act(AbortSignal.any([signal, deadline, inbox.stopped])));
    } catch (error) {
      // Our own deadline and a person's stop are ends; whoever aborted from outside wants the abort.
      if (signal.aborted) throw error;
      const { reason } = inbox.stopped;
      if (inbox.stopped.aborted && reason instanceof Stopped) return this.#end({ kind: "stopped", by: reason.by });
      if (!deadline.aborted) throw explainModelError(error, this.#asker.model().id);
      return this.#end({ kind: "limit", limit: nameTimeLimit(limits.wallMsMax) });
    }
  }

  async #toItsEnd(signal: AbortSignal): Promise<End> {
    const before = this.#agent.reports();
    for (;;) {
      await this.#hear(signal);
      const budget = this.#budget();
      if (budget.kind === "over") return { kind: "limit", limit: budget.limit };
      if (budget.kind === "near") await this.#warn(budget.limit);
      this.#turn += 1;
      const reply = await this.#ask(signal);
      if (reply === null) return { kind: "limit", limit: "the model's context window" };
      const step = nextStep(reply, this.#nudges);
      switch (step.kind) {
        case "dispatch":
          this.#conversation.push(
            ...turnMessages(reply, await runCalls(this.#agent, { turn: this.#turn, calls: step.calls }, signal)),
          );
          if (this.#agent.reports() > before) return { kind: "reported" };
          break;
        case "ask-again":
          this.#conversation.push(...turnMessages(reply, []));
          // A vendor's pause is not the model's silence: it is asked on without a word, and counts as a turn only.
          if (step.text === null) break;
          this.#nudges += 1;
          await this.#steer(step.text);
          break;
        case "end":
          this.#conversation.push(...turnMessages(reply, []));
          return step.how === "refused" ? { kind: "refused" } : { kind: "reported" };
        default:
          return unreachable(step);
      }
    }
  }

  /** Null when the window is full and no room could be made. */
  async #ask(signal: AbortSignal): Promise<Replied | null> {
    if (!(await this.#makeRoom(false, signal))) return null;
    try {
      return await this.#askOnce(signal);
    } catch (error) {
      if (!(error instanceof ModelError)) throw error;
      if (await this.#dropImages(error)) return await this.#askOnce(signal);
      if (error.fault !== "window-exceeded") throw error;
      if (await this.#makeRoom(true, signal)) return await this.#askOnce(signal);
      // Before the first reply there is no work to hand in, only something to tell.
      if (this.#turn === 1) throw error;
      return null;
    }
  }

  async #askOnce(signal: AbortSignal): Promise<Replied> {
    const question = { ...this.#request(), turn: this.#turn, messages: this.#conversation.messages() };
    const toEntry = (asked: Asked): Replied => {
      // A kept reply costs nothing, and the prompt is as long as it was.
      this.#conversation.count(asked.cachedUsage ?? asked.usage);
      return toReplied(asked);
    };
    const reply = await this.#asker.ask(question, toEntry, signal);
    this.#lastText = spokenText(reply.parts) || this.#lastText;
    return reply;
  }

  async #makeRoom(isRefused: boolean, signal: AbortSignal): Promise<boolean> {
    const messages = this.#conversation.messages();
    const now = { turn: this.#turn, messages, tokens: this.#conversation.tokens(this.#asker.model().facts), isRefused };
    const parts = { asker: this.#asker, journal: this.#agent.journal, request: this.#request() };
    const made = await makeRoom({ ...parts, kept: this.#summary }, now, signal);
    if (made === messages) return true;
    this.#summary = null; // It was of the messages as they were.
    return this.#goOnWith(made);
  }

  async #dropImages(refusal: ModelError): Promise<boolean> {
    const now = { turn: this.#turn, messages: this.#conversation.messages() };
    return this.#goOnWith(await mendRefusal(this.#agent.journal, now, refusal));
  }

  #goOnWith(made: readonly Message[] | null): boolean {
    if (made === null) return false;
    this.#conversation.replace(made);
    this.#agent.toolset.forget();
    return true;
  }

  #request() {
    const { system, toolset, cacheKey } = this.#agent;
    return { system: system.text, tools: toolset.specs, cacheKey, effort: this.#agent.effort };
  }

  /** People's words enter here, between two turns, for a call must be followed by its observation. */
  async #hear(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    for (const { by, text } of await this.#agent.inbox.take()) await this.#steer(text, by);
  }

  /** Said once: a model that is told at each turn spends its last turns on answering us. */
  async #warn(limit: string): Promise<void> {
    if (this.#warned) return;
    this.#warned = true;
    await this.#steer(`${WARNING} ${limit}. Finish what you have, leave the tree in a working state and call report.`);
  }

  async #steer(text: string, by?: string): Promise<void> {
    const entry = { kind: "steered", text, ...(by === undefined ? {} : { by }) } as const;
    await this.#agent.journal.append(entry);
    this.#conversation.push({ kind: "user", text: steerText(entry) });
  }

  #budget(): BudgetState {
    const { limits, purse, now } = this.#agent;
    const own = budgetState({ turns: this.#turn, wallMs: now() - this.#startedAt, usd: purse.spent().usd }, limits);
    const day = purse.day();
    return own.kind === "over" || day.kind === "ok" ? own : day;
  }

  #end(ending: End): AgentEnd {
    const model = this.#asker.model().id;
    const wallMs = this.#agent.now() - this.#startedAt;
    const about = { turns: this.#turn, wallMs, model, switches: this.#asker.switches() };
    return { ending, lastText: this.#lastText, spend: { ...this.#agent.purse.spent(), ...about } };
  }
}
