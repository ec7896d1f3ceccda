/**
 * Proofs that a thinking block or a reasoning item came from here. The key is fixed so that a stand-in that was started
 * again still knows what it said before; it protects nothing.
 */
import { createHash, createHmac } from "node:crypto";

const KEY = "pullwright-sim-models";

/** `facts` is all that must come back unchanged. */
export function seal(prefix: string, ...facts: readonly string[]): string {
  return prefix + createHmac("sha256", KEY).update(JSON.stringify(facts)).digest("base64url");
}

export const isSealed = (value: string, prefix: string, ...facts: readonly string[]): boolean =>
  value === seal(prefix, ...facts);

/** A stable id: the same request gets the same ids, another request gets others. */
export function hashOf(...facts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 24);
}

/** Of Anthropic's message that answers the request `seed` grew from. */
export const messageIdOf = (seed: string): string => `msg_${hashOf(seed, "message")}`;
