/**
 * The Probot function: each delivery is read, decided and handed to `accept`, which commits it; only then does GitHub get its 2xx.
 * It does no work and speaks to no forge.
 */
import type { Probot } from "probot";
import { TransientError } from "../failure.ts";
import { decide, type Decision, type Rules } from "../trigger/decide.ts";
import type { MirrorWish } from "../repo-event.ts";
import { readEvent, readName, readRepoName } from "./read-event.ts";
import { readMirrorWishes } from "./read-mirror-wishes.ts";

/** A delivery and what it asks for. `guid` is GitHub's id of it: the same one again is a redelivery. */
export type Delivery = {
  readonly guid: string;
  /** Event and action, such as "issues.labeled". */
  readonly name: string;
  readonly decision: Decision;
  /** "owner/name", null for events without a repository. */
  readonly repo: string | null;
  /** Where it says that mirrors will be wanted. */
  readonly wishes?: readonly MirrorWish[];
};

/** Resolves once the delivery's record, and the task and job it starts, are committed in one transaction. */
export type Accept = (delivery: Delivery) => Promise<void>;

/** The part of a pino logger that is used. */
export type Log = { info: (facts: object, message: string) => void };

/** @octokit/webhooks answers 202 after 9 s whatever became of the handler, and GitHub waits 10 s: no commit by now is a failure. */
const ACCEPT_MS_MAX = 8_000;

export function pullwrightApp(parts: { readonly rules: Rules; readonly accept: Accept; readonly log: Log }) {
  return (app: Pick<Probot, "onAny">): void => {
    app.onAny(async ({ id, name, payload }) => {
      const delivery = readDelivery({ guid: id, event: name, payload }, parts.rules);
      await acceptInTime(parts.accept, delivery);
      const { decision } = delivery;
      const key = decision.kind === "start" ? { key: decision.request.key } : {};
      const facts = decision.kind === "ignore" ? { reason: decision.reason } : key;
      parts.log.info({ delivery: id, event: delivery.name, decision: decision.kind, ...facts }, "delivery accepted");
    });
  };
}

export type Incoming = { readonly guid: string; readonly event: string; readonly payload: unknown };

/** What a delivery asks for, whichever way it came. */
export function readDelivery({ guid, event, payload }: Incoming, rules: Rules): Delivery {
  const name = readName(event, payload);
  const repo = readRepoName(payload);
  const wishes = readMirrorWishes(name, payload);
  if (wishes.length > 0)
    return { guid, name, decision: { kind: "ignore", reason: "only mirrors follow" }, repo, wishes };
  const read = readEvent(name, payload);
  if (read.kind === "none") return { guid, name, decision: { kind: "ignore", reason: read.reason }, repo };
  return { guid, name, decision: decide(read.event, rules), repo };
}

async function acceptInTime(accept: Accept, delivery: Delivery): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no commit within ${ACCEPT_MS_MAX} ms`)), ACCEPT_MS_MAX);
  try {
    await Promise.race([accept(delivery), late.promise]);
  } catch (error) {
    // Probot answers with the message of what is thrown: a database's own words stay in the cause, for the log.
    throw new TransientError("the delivery could not be recorded", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
