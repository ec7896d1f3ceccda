/**
 * The road to GitHub in bad weather: between the product and the stand-in, requests fail before or after GitHub has done what they ask,
 * lose their connection, meet a secondary limit or are never answered. People's own requests go another way and do not fail.
 */
import { once } from "node:events";
import {
  createServer,
  request as send,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { Dice } from "./dice.ts";
import type { Size } from "./plan.ts";

type Fault = "status" | "status-after" | "drop" | "drop-after" | "limit" | "hang";

export type Weather = AsyncDisposable & {
  readonly url: string;
  /** "fault of request": how often. */
  readonly faults: ReadonlyMap<string, number>;
  /** From now on nothing fails. */
  clear(): void;
};

const SECONDARY_LIMIT = {
  message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
  documentation_url: "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits",
};

export async function openWeather(target: string, faults: Size["faults"], dice: Dice): Promise<Weather> {
  const asked = new Map<string, number>();
  const had = new Map<string, number>();
  let isClear = false;
  let hangs = 0;
  const choose = (method: string, path: string): Fault | null => {
    const kind = kindOf(method, path);
    const count = (asked.get(`${method} ${path}`) ?? 0) + 1;
    asked.set(`${method} ${path}`, count);
    const name = `${method} ${path} ${count}`;
    if (isClear || dice.share(name) >= faults[kind]) return null;
    const fault = dice.pick(`which ${name}`, FAULTS[kind]);
    if (fault === "hang" && hangs++ >= faults.hangsMax) return "status";
    had.set(`${fault} of ${kind}`, (had.get(`${fault} of ${kind}`) ?? 0) + 1);
    return fault;
  };
  const server = createServer((request, response) => {
    // A client that was killed leaves its request half way: nobody is there to be told.
    carry({ request, response, target, choose }).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the weather has no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    faults: had,
    clear: () => void (isClear = true),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const FAULTS: Readonly<Record<"read" | "write" | "git", readonly [Fault, ...Fault[]]>> = {
  read: ["status", "drop", "status", "drop", "status-after", "hang"],
  write: ["status", "status-after", "drop", "drop-after", "limit", "hang"],
  git: ["status", "drop", "drop-after"],
};

function kindOf(method: string, path: string): "read" | "write" | "git" {
  if (/\/(info\/refs|git-upload-pack|git-receive-pack)$/.test(path)) return "git";
  return method === "GET" ? "read" : "write";
}

type Exchange = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly target: string;
  readonly choose: (method: string, path: string) => Fault | null;
};

async function carry({ request, response, target, choose }: Exchange): Promise<void> {
  const { method = "GET", url = "/" } = request;
  const body = await readAll(request);
  const fault = choose(method, url.replace(/\?.*$/s, ""));
  switch (fault) {
    case "hang":
      return;
    case "drop":
      return void response.destroy();
    case "status":
      return answerStatus(response, 502, { message: "Server Error" });
    case "limit":
      response.setHeader("retry-after", "1");
      return answerStatus(response, 403, SECONDARY_LIMIT);
  }
  const answer = await ask({ url: target + url, method, headers: request.headers, body });
  if (fault === "drop-after") return void response.destroy();
  if (fault === "status-after") return answerStatus(response, 500, { message: "Server Error" });
  const { "transfer-encoding": _, ...headers } = answer.headers;
  response.writeHead(answer.status, {
    ...headers,
    ...(answer.status === 204 ? {} : { "content-length": answer.body.length }),
  });
  response.end(answer.body);
}

function answerStatus(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

type Asking = {
  readonly url: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
};

async function ask({ url, method, headers, body }: Asking) {
  const request = send(url, { method, headers, agent: false });
  request.end(body);
  const [response]: IncomingMessage[] = await once(request, "response");
  if (!response) throw new Error("no response");
  return { status: response.statusCode ?? 502, headers: response.headers, body: await readAll(response) };
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
