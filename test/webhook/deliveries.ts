/** Real payloads of GitHub's, completed with the `installation` that an App's deliveries carry, and how GitHub signs them. */
import { createHmac } from "node:crypto";
import { createRequire } from "node:module";
import type { WebhookDefinition } from "@octokit/webhooks-examples";

export type Payload = Readonly<Record<string, unknown>>;

/** The package's types promise a module where there is a JSON file. */
export const EXAMPLES: readonly WebhookDefinition[] = createRequire(import.meta.url)("@octokit/webhooks-examples");

/** Each recorded example of "issues.labeled" and the like. */
export function examplesOf(name: string): readonly Payload[] {
  const [event, action] = name.split(".");
  const found: readonly object[] = EXAMPLES.find((definition) => definition.name === event)?.examples ?? [];
  return found
    .map((example): Payload => ({ ...example, installation: { id: 7 } }))
    .filter((payload) => action === undefined || payload["action"] === action);
}

/** The first example, changed where the case needs it. */
export function example(name: string, change: (payload: Payload) => Payload = (payload) => payload): Payload {
  const first = examplesOf(name)[0];
  if (!first) throw new Error(`no example of ${name}`);
  return change(first);
}

/** A copy with `value` at `path`. */
export function withValue(payload: Payload, path: readonly string[], value: unknown): Payload {
  const [key, ...rest] = path;
  if (key === undefined) return payload;
  const inner = payload[key];
  const next = rest.length === 0 ? value : withValue(isPayload(inner) ? inner : {}, rest, value);
  return { ...payload, [key]: next };
}

function isPayload(value: unknown): value is Payload {
  return typeof value === "object" && value !== null;
}

export type Sent = {
  readonly event: string;
  readonly payload: unknown;
  readonly guid?: string;
  readonly secret: string;
};

/** POSTs as GitHub does. */
export async function deliver(
  url: string,
  { event, payload, guid = crypto.randomUUID(), secret }: Sent,
): Promise<Response> {
  const body = JSON.stringify(payload);
  return fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/0123456",
      "x-github-event": event,
      "x-github-delivery": guid,
      "x-hub-signature-256": sign(body, secret),
    },
    body,
  });
}

export function sign(body: string, secret: string): string {
  return `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;
}
