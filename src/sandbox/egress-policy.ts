/** What sandboxed code may reach, and the judgement of one wish to reach something. The proxy does what is decided here. */
import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import type { EgressDecision } from "../journal.ts";
import { isPublicAddress } from "./egress-address.ts";

/** Where names and connections come from. Tests put a registry of their own where the internet is. */
export type EgressNetwork = {
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly connect: (address: string, port: number) => Socket;
};

export const INTERNET: EgressNetwork = {
  resolve: async (host) => (await lookup(host, { all: true, order: "ipv4first" })).map(({ address }) => address),
  connect: (address, port) => connect({ host: address, port }),
};

export type EgressPolicy = {
  /** Names: exact, or "*.example.com" for all below it. */
  readonly hosts: readonly string[];
  /** Bytes to and fro of one session, together. */
  readonly bytesMax: number;
  readonly network: EgressNetwork;
  /** Must not throw. Called for every wish, however often it is made. */
  readonly onDecision: (decision: EgressDecision) => void;
};

/** "tunnel" is CONNECT, whose bytes nobody reads; "plain" is a request for an http: address. */
export type Wish = { readonly kind: "tunnel" | "plain"; readonly host: string; readonly port: number };

export type Judgement =
  | { readonly kind: "denied"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "allowed"; readonly addresses: readonly string[] };

/** The reason for which a maintainer may want to add a host to the list. */
export const NOT_LISTED = "not on the list";

/** getaddrinfo cannot be interrupted; its own limit is longer. */
const RESOLVE_MS_MAX = 10_000;
/** Addresses of one name that are tried. */
const ADDRESSES_MAX = 4;
const HOST_CHARS_MAX = 253;

/**
 * Resolves the name once: the addresses that were looked at are those to connect to, so that a name cannot change in between.
 * One address that is not public spoils the name, whatever its others are.
 */
export async function judge(wish: Wish, { hosts, network }: EgressPolicy): Promise<Judgement> {
  const port = wish.kind === "tunnel" ? 443 : 80;
  if (wish.port !== port) return denied(`${wish.kind === "tunnel" ? "a tunnel" : "http:"} may use port ${port} only`);
  const host = plainHost(wish.host);
  if (isIP(host.replaceAll(/^\[|\]$/g, "")) !== 0) return denied("an address, not a name");
  if (!hosts.some((listed) => matches(listed.toLowerCase(), host))) return denied(NOT_LISTED);
  const addresses = await resolveInTime(network, host);
  if (addresses.length === 0) return { kind: "failed", why: "the name is unknown" };
  const closed = addresses.find((address) => !isPublicAddress(address));
  if (closed !== undefined) return denied(`resolves to ${sayHost(closed)}, which is not a public address`);
  return { kind: "allowed", addresses: addresses.slice(0, ADDRESSES_MAX) };
}

/** For people and the journal: what was asked for may hold anything. */
export function sayHost(host: string): string {
  return plainHost(host)
    .replaceAll(/[^a-z0-9.:_*[\]-]/g, "?")
    .slice(0, HOST_CHARS_MAX);
}

/** As it is compared: "Example.COM." and "example.com" are one. */
export function plainHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}

function matches(listed: string, host: string): boolean {
  return listed.startsWith("*.") ? host.endsWith(listed.slice(1)) && host.length > listed.length - 1 : listed === host;
}

async function resolveInTime(network: EgressNetwork, host: string): Promise<readonly string[]> {
  const late = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => late.resolve([]), RESOLVE_MS_MAX);
  // A name that cannot be resolved is a finding, not a fault of ours.
  const found = network.resolve(host).catch(() => []);
  return await Promise.race([found, late.promise]).finally(() => clearTimeout(timer));
}

function denied(why: string): Judgement {
  return { kind: "denied", why };
}
