/** How a claim ends: with its task, or given back for another worker. Each only while it is ours. */
import type { PgBoss } from "pg-boss";
import { announce, isOne, joined, noteLosses, renderTicket, type Ticket, type Tx } from "./job.ts";
import { leavePlaces, rewriteTicket, type Claim } from "./line.ts";

type ClaimsOf = {
  readonly boss: PgBoss;
  readonly queue: string;
  readonly transaction: (fn: (tx: Tx) => Promise<void>) => Promise<void>;
  readonly leaving: AbortSignal;
};

export type Claims = {
  /** The next of its key may run from now on. */
  readonly end: (claim: Claim) => Promise<void>;
  /** Once the run has cleaned up: the next worker starts at once, or when what the run waits for may be there. */
  readonly handOver: (claim: Claim, ticket: Ticket, afterMs: number) => Promise<void>;
  /** With a time of our choosing: pg-boss's own delay would be the same for every error. */
  readonly giveBack: (claim: Claim, ticket: Ticket, afterMs: number) => Promise<void>;
  /** Only the worker that finds a task lost can write it down. `steps` is how far the task has come. */
  readonly noteLosses: (claim: Claim, ticket: Ticket, steps: number) => Promise<Ticket>;
};

export function openClaims({ boss, queue, transaction, leaving }: ClaimsOf): Claims {
  const giveBack: Claims["giveBack"] = ({ id, retryCount }, ticket, afterMs) =>
    transaction(async (tx) => {
      const db = joined(tx);
      if (!isOne(await boss.fail(queue, { id, retryCount }, null, { db }))) return; // Not ours any more.
      await boss.update(queue, renderTicket(ticket), { id, startAfter: Math.ceil(afterMs / 1000), db });
      await announce(tx);
    });
  return {
    giveBack,
    handOver: (claim, ticket, afterMs) => giveBack(claim, { ...ticket, handedOver: ticket.handedOver + 1 }, afterMs),
    end: ({ id, retryCount }) =>
      transaction(async (tx) => {
        const ended = await boss.complete(queue, { id, retryCount }, null, { db: joined(tx) });
        if (!isOne(ended)) return; // Not ours any more.
        await leavePlaces(tx, [id]);
        if (leaving.aborted) await announce(tx); // We shall not look for the next one ourselves.
      }),
    noteLosses: async (claim, ticket, steps) => {
      const noted = noteLosses(ticket, claim.retryCount, steps);
      if (noted !== ticket) await transaction((tx) => rewriteTicket(tx, claim, renderTicket(noted)));
      return noted;
    },
  };
}
