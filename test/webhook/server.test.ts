import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { UserError } from "../../src/failure.ts";
import { pullwrightApp, type Accept, type Delivery } from "../../src/webhook/app.ts";
import { startWebhookServer, type Route, type WebhookServerOptions } from "../../src/webhook/server.ts";
import { RULES } from "../trigger/builders.ts";
import { deliver, example, sign, withValue } from "./deliveries.ts";

const SECRET = "a secret of forty characters, or nearly so";
const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString();

type World = AsyncDisposable & {
  readonly url: string;
  readonly hooks: string;
  readonly accepted: Delivery[];
  /** What was asked of the forge: the API root points here. */
  readonly forgeCalls: string[];
  readonly lines: string[];
};

type Wish = {
  readonly accept?: Accept;
  readonly routes?: readonly Route[];
  readonly level?: string;
  readonly proxy?: string;
};

async function openWorld({ accept, routes = [], level = "info", proxy }: Wish = {}): Promise<World> {
  const forgeCalls: string[] = [];
  const forge = createServer((request: IncomingMessage, response: ServerResponse) => {
    forgeCalls.push(`${request.method} ${request.url}`);
    response.writeHead(500).end();
  }).listen(0, "127.0.0.1");
  await once(forge, "listening");
  const address = forge.address();
  const apiPort = typeof address === "object" && address ? address.port : 0;

  const accepted: Delivery[] = [];
  const lines: string[] = [];
  const log = pino({ level }, { write: (line: string) => void lines.push(line) });
  const server = await startWebhookServer({
    ...options(log),
    apiUrl: `http://127.0.0.1:${apiPort}/api/v3`,
    webhookProxyUrl: proxy ?? null,
    routes,
    app: pullwrightApp({
      rules: RULES,
      log,
      accept: async (delivery) => {
        await accept?.(delivery);
        accepted.push(delivery);
      },
    }),
  });
  return {
    url: server.url,
    hooks: `${server.url}/hooks`,
    accepted,
    forgeCalls,
    lines,
    [Symbol.asyncDispose]: async () => {
      await server.close();
      forge.close();
    },
  };
}

function options(log = pino({ level: "silent" })): WebhookServerOptions {
  return {
    appId: 1,
    privateKey,
    secret: SECRET,
    apiUrl: "http://127.0.0.1:9",
    host: "127.0.0.1",
    port: 0,
    webhookPath: "/hooks",
    webhookProxyUrl: null,
    app: () => {},
    log,
  };
}

const labeled = withValue(example("issues.labeled"), ["label", "name"], "agent");

test("a signed delivery is committed before its 2xx, and nobody asked the forge anything", async () => {
  const committed = Promise.withResolvers<void>();
  await using world = await openWorld({ accept: () => committed.promise });
  let isAnswered = false;
  const answer = deliver(world.hooks, { event: "issues", payload: labeled, guid: "g-1", secret: SECRET }).finally(
    () => (isAnswered = true),
  );
  await fetch(`${world.url}/healthz`);
  expect(isAnswered).toBe(false);
  committed.resolve();
  expect((await answer).status).toBe(200);
  expect(world.accepted).toEqual([
    {
      guid: "g-1",
      name: "issues.labeled",
      decision: { kind: "start", request: expect.objectContaining({ goal: "implement" }), headAt: null },
      repo: "Codertocat/Hello-World",
    },
  ]);
  expect(world.forgeCalls).toEqual([]);
});

test("a wrong signature is refused with 400 and never read", async () => {
  await using world = await openWorld();
  const answer = await deliver(world.hooks, { event: "issues", payload: labeled, secret: "another secret" });
  expect(answer.status).toBe(400);
  expect(world.accepted).toEqual([]);
});

test("a delivery without a signature is refused", async () => {
  await using world = await openWorld();
  const headers = { "content-type": "application/json", "x-github-event": "issues", "x-github-delivery": "g" };
  const answer = await fetch(world.hooks, { method: "POST", headers, body: JSON.stringify(labeled) });
  expect(answer.status).toBe(400);
  expect(world.accepted).toEqual([]);
});

test("a delivery that cannot be committed is answered with 5xx, and the reason stays in our log", async () => {
  const accept: Accept = () => Promise.reject(new Error("no connection to db.internal"));
  await using world = await openWorld({ accept });
  const answer = await deliver(world.hooks, { event: "issues", payload: labeled, secret: SECRET });
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("db.internal");
  expect(world.lines.join("")).toContain("db.internal");
  expect(world.lines.join("")).not.toContain("Spelling error");
});

test("a commit that does not come in time is a failure, not a 202", async () => {
  await using world = await openWorld({ accept: () => new Promise(() => {}) });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const answer = deliver(world.hooks, { event: "issues", payload: labeled, secret: SECRET });
    await vi.waitFor(() => expect(vi.getTimerCount()).toBeGreaterThanOrEqual(2));
    await vi.advanceTimersByTimeAsync(8_000);
    expect((await answer).status).toBe(500);
  } finally {
    vi.useRealTimers();
  }
});

test("a redelivery carries the same id to the one who counts", async () => {
  await using world = await openWorld();
  for (let time = 0; time < 2; time++) {
    const answer = await deliver(world.hooks, { event: "issues", payload: labeled, guid: "g-2", secret: SECRET });
    expect(answer.status).toBe(200);
  }
  expect(world.accepted.map(({ guid }) => guid)).toEqual(["g-2", "g-2"]);
});

test.each([
  ["ping", { zen: "x", hook_id: 1 }, "ping", "event ping has no meaning here"],
  ["issues", example("issues.opened"), "issues.opened", "event issues.opened has no meaning here"],
  ["not_yet_invented", { action: "x" }, "not_yet_invented.x", "event not_yet_invented.x has no meaning here"],
  ["issues", { action: "labeled" }, "issues.labeled", "the payload is malformed at issue: "],
  ["issues", example("issues.labeled"), "issues.labeled", 'the label is not "agent"'],
])("%s is recorded as ignored, case %#", async (event, payload, name, reason) => {
  await using world = await openWorld();
  const answer = await deliver(world.hooks, { event, payload, secret: SECRET });
  expect(answer.status).toBe(200);
  expect(world.accepted).toMatchObject([
    { name, decision: { kind: "ignore", reason: expect.stringContaining(reason) } },
  ]);
});

test("at info only the accepted delivery is logged", async () => {
  await using world = await openWorld();
  await deliver(world.hooks, { event: "issues", payload: labeled, guid: "g-3", secret: SECRET });
  expect(world.lines.map((line): unknown => JSON.parse(line))).toEqual([
    expect.objectContaining({ msg: "delivery accepted", delivery: "g-3", decision: "start" }),
  ]);
});

test("health is answered, a route of ours comes first, and anything else is not found", async () => {
  const route: Route = (request, response) => {
    if (request.url !== "/mine") return false;
    response.writeHead(200).end("mine");
    return true;
  };
  await using world = await openWorld({ routes: [route] });
  expect(await (await fetch(`${world.url}/healthz`)).text()).toBe("ok\n");
  expect(await (await fetch(`${world.url}/mine`)).text()).toBe("mine");
  expect((await fetch(`${world.url}/nothing`)).status).toBe(404);
});

test("a body larger than any delivery is not read to its end", async () => {
  await using world = await openWorld();
  const payload = "x".repeat(26 * 1024 * 1024);
  await expect(deliver(world.hooks, { event: "issues", payload, secret: SECRET })).rejects.toThrow();
  expect((await fetch(`${world.url}/healthz`)).status).toBe(200);
});

test.each(["", "  "])("the server does not start with the secret %j", async (secret) => {
  await expect(startWebhookServer({ ...options(), secret })).rejects.toThrow(UserError);
});

test("a port in use is named", async () => {
  await using world = await openWorld();
  const port = Number(new URL(world.url).port);
  await expect(startWebhookServer({ ...options(), port })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
});

test("deliveries also come through a smee channel", async () => {
  const channel = createServer((_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    clients.push(response);
  }).listen(0, "127.0.0.1");
  const clients: ServerResponse[] = [];
  await once(channel, "listening");
  const address = channel.address();
  const port = typeof address === "object" && address ? address.port : 0;
  {
    await using world = await openWorld({ proxy: `http://127.0.0.1:${port}/channel` });
    await vi.waitFor(() => expect(clients).toHaveLength(1));
    // What smee sends: the headers, and the body as JSON beside them. An event nobody signed must not pass either.
    clients[0]?.write(`data: ${JSON.stringify({ "x-github-event": "issues", body: labeled })}\n\n`);
    const signature = sign(JSON.stringify(labeled), SECRET);
    const headers = { "x-github-event": "issues", "x-github-delivery": "g-4", "x-hub-signature-256": signature };
    clients[0]?.write(`data: ${JSON.stringify({ ...headers, body: labeled })}\n\n`);
    await vi.waitFor(() => expect(world.accepted.map(({ guid }) => guid)).toEqual(["g-4"]), { timeout: 10_000 });
  }
  channel.closeAllConnections();
  channel.close();
});
