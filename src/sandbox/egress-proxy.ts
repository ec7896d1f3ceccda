/**
 * The only way out of a sandbox: an HTTP proxy on a unix socket that serves one session. What asks is hostile: names and addresses
 * are judged, a tunnel must carry TLS for the very name it was opened for, and bytes, time and connections are counted.
 */
import { once } from "node:events";
import {
  createServer,
  request as startRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import { Transform, type Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { readHello } from "./egress-hello.ts";
import { judge, plainHost, sayHost, type EgressPolicy, type Wish } from "./egress-policy.ts";

/** Package managers open some fifteen; a flood must not take all of our descriptors. */
const CONNECTIONS_MAX = 128;
const CONNECT_MS_MAX = 15_000;
/** A registry that builds a large answer is silent for a while. */
const IDLE_MS_MAX = 120_000;
/** The client speaks first in TLS, at once; large keys make its first message some kilobytes. */
const HELLO_MS_MAX = 15_000;
const HELLO_BYTES_MAX = 64 * 1024;
/** What concerns one connection only, or is ours to say. */
const OWN_HEADERS = new Set(
  ["connection", "host", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"].concat(
    ...["te", "trailer", "transfer-encoding", "upgrade"],
  ),
);

export class EgressProxy implements AsyncDisposable {
  readonly #policy: EgressPolicy;
  readonly #server: Server;
  readonly #open = new Set<Duplex>();
  #bytes = 0;

  private constructor(policy: EgressPolicy) {
    this.#policy = policy;
    this.#server = createServer((request, response) => {
      this.#forward(request, response).catch(() => response.destroy());
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on("connection", (socket) => this.#hold(socket));
    this.#server.on("connect", (request: IncomingMessage, client: Duplex, head: Buffer) => {
      this.#tunnel(request.url ?? "", client, head).catch(() => client.destroy());
    });
    this.#server.on("clientError", (_error, socket) => socket.destroy());
  }

  static async open(path: string, policy: EgressPolicy): Promise<EgressProxy> {
    const proxy = new EgressProxy(policy);
    proxy.#server.listen(path);
    await once(proxy.#server, "listening");
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#open) socket.destroy();
    await closed;
  }

  /** Whatever goes wrong with it, it ends with us, and alone. */
  #hold(socket: Socket): void {
    this.#open.add(socket);
    socket.on("close", () => this.#open.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.setTimeout(IDLE_MS_MAX, () => socket.destroy());
  }

  async #tunnel(authority: string, client: Duplex, head: Buffer): Promise<void> {
    const [, host = "", port = ""] = /^(.*):(\d{1,5})$/.exec(authority) ?? ["", authority, "0"];
    const wish: Wish = { kind: "tunnel", host, port: Number(port) };
    const upstream = await this.#reach(wish);
    if (typeof upstream === "string") {
      client.end(refusal(upstream));
      return;
    }
    try {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      const hello = await readFirstBytes(client, head);
      // One address serves many names: without this, an allowed name would be the door to its neighbours.
      const { kind, ...said } = readHello(hello);
      if (kind !== "named" || !("name" in said) || plainHost(said.name) !== plainHost(host)) {
        this.#tell(wish, "denied", "the tunnel carries no TLS for this name");
        return;
      }
      this.#tell(wish, "allowed", "");
      this.#count(hello.length);
      upstream.write(hello);
      await Promise.all([pipeline(client, this.#meter(), upstream), pipeline(upstream, this.#meter(), client)]);
    } finally {
      upstream.destroy();
      client.destroy();
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = URL.parse(request.url ?? "");
    if (url?.protocol !== "http:")
      return void response.writeHead(400).end("This proxy takes http: addresses and CONNECT.\n");
    const wish: Wish = { kind: "plain", host: url.hostname, port: Number(url.port || 80) };
    const upstream = await this.#reach(wish);
    if (typeof upstream === "string") return void response.writeHead(403, TEXT).end(upstream);
    this.#tell(wish, "allowed", "");
    try {
      const outgoing = startRequest({
        ...{ method: request.method, path: url.pathname + url.search, createConnection: () => upstream },
        // The name that was judged, not the one the request may carry.
        headers: { ...kept(request), host: url.host, connection: "close" },
      });
      const [answer] = await Promise.all([
        once(outgoing, "response").then(([answer]: IncomingMessage[]) => answer),
        pipeline(request, this.#meter(), outgoing),
      ]);
      if (!answer) return;
      response.writeHead(answer.statusCode ?? 502, kept(answer));
      await pipeline(answer, this.#meter(), response);
    } finally {
      upstream.destroy();
    }
  }

  /** A connection to what is wished for, or why there is none. */
  async #reach(wish: Wish): Promise<Socket | string> {
    if (this.#bytes > this.#policy.bytesMax) return this.#refuse(wish, "denied", SPENT);
    if (this.#open.size > 2 * CONNECTIONS_MAX) return this.#refuse(wish, "failed", "too many connections at once");
    const judgement = await judge(wish, this.#policy);
    if (judgement.kind !== "allowed") return this.#refuse(wish, judgement.kind, judgement.why);
    for (const address of judgement.addresses) {
      const socket = this.#policy.network.connect(address, wish.port);
      this.#hold(socket);
      if (await isConnected(socket)) return socket;
      socket.destroy();
    }
    return this.#refuse(wish, "failed", "it does not answer");
  }

  #refuse(wish: Wish, verdict: "denied" | "failed", why: string): string {
    this.#tell(wish, verdict, why);
    return `egress ${verdict === "denied" ? "denied by policy" : "failed"}: ${sayHost(wish.host)}:${wish.port}: ${why}\n`;
  }

  #tell({ host, port }: Wish, verdict: "allowed" | "denied" | "failed", why: string): void {
    this.#policy.onDecision({ verdict, host: sayHost(host), port, why });
  }

  #meter(): Transform {
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        this.#count(chunk.length);
        done(null, chunk);
      },
    });
  }

  /** Past the cap everything ends at once, and what comes next is refused. */
  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#policy.bytesMax) for (const socket of this.#open) socket.destroy();
  }
}

const SPENT = "the limit of bytes is used up";
const TEXT = { "content-type": "text/plain; charset=utf-8", connection: "close" };

function refusal(text: string): string {
  const head = ["HTTP/1.1 403 Forbidden", "Content-Type: text/plain", `Content-Length: ${Buffer.byteLength(text)}`];
  return `${[...head, "Connection: close"].join("\r\n")}\r\n\r\n${text}`;
}

function kept({ headers }: IncomingMessage): Record<string, string | string[]> {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || OWN_HEADERS.has(name) ? [] : [[name, value] as const],
  );
  return Object.fromEntries(pairs);
}

async function isConnected(socket: Socket): Promise<boolean> {
  const signal = AbortSignal.timeout(CONNECT_MS_MAX);
  return once(socket, "connect", { signal }).then(
    () => true,
    () => false,
  );
}

/** All that came until the client's first message is whole, or cannot become one. Rejects when it takes too long or ends. */
async function readFirstBytes(client: Duplex, head: Buffer): Promise<Buffer> {
  let bytes = head;
  const signal = AbortSignal.timeout(HELLO_MS_MAX);
  while (readHello(bytes).kind === "unfinished" && bytes.length < HELLO_BYTES_MAX) {
    const chunk: unknown = client.read();
    if (chunk instanceof Buffer) bytes = Buffer.concat([bytes, chunk]);
    else if (client.readableEnded || client.destroyed) return bytes;
    else await Promise.race([once(client, "readable", { signal }), once(client, "end", { signal })]);
  }
  return bytes;
}
