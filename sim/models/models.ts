/**
 * A stand-in for both model vendors: one HTTP server that speaks Anthropic's Messages API and OpenAI's Responses API, plays a
 * script, refuses what the vendors refuse and misbehaves when told to. It never thinks, and nothing in src may import it.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import { Player } from "./player.ts";
import { readScript, type Script } from "./script.ts";
import { serve, type RecordedRequest, type WholeReply } from "./serve.ts";

export type { Script } from "./script.ts";
export type { RecordedRequest } from "./serve.ts";

export type Models = AsyncDisposable & {
  readonly url: string;
  readonly anthropicBaseUrl: string;
  readonly openaiBaseUrl: string;
  readonly compatibleBaseUrl: string;
  readonly requests: readonly RecordedRequest[];
  /** What would have to be paid; no batches. */
  readonly replies: readonly WholeReply[];
  /** Also forgets which faults were played, and the prompt caches. */
  setScript(script: Script): void;
  close(): Promise<void>;
};

/** Far more than a test or a demo makes. */
const REQUESTS_MAX = 10_000;

export async function startModels(options: { port?: number; host?: string; script: Script }): Promise<Models> {
  let player = new Player(readScript(options.script));
  const requests: RecordedRequest[] = [];
  const record = (request: RecordedRequest) => {
    requests.push(request);
    if (requests.length > REQUESTS_MAX) requests.shift();
  };
  const replies: WholeReply[] = [];
  const answered = (reply: WholeReply) => void replies.push(reply);
  const server = createServer((request, response) => {
    void serve({ request, response, player, record, answered });
  });
  server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  await once(server, "listening");

  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The models server has no port");
  const url = `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
  const close = async () => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections(); // Stalled streams would keep it open.
    await closed;
  };
  return {
    url,
    anthropicBaseUrl: url,
    openaiBaseUrl: `${url}/v1`,
    compatibleBaseUrl: `${url}/v1`,
    requests,
    replies,
    setScript: (script) => {
      player = new Player(readScript(script));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
