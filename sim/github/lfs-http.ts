/**
 * Git LFS at /OWNER/NAME.git/info/lfs, as git-lfs's docs/api/batch.md and basic-transfers.md have it, behind the tokens of git itself. Its
 * transfers go to addresses that are signed and ask for no token, as github.com's storage does.
 */
import { createHash, createHmac, randomBytes } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { buffer, json } from "node:stream/consumers";
import { z } from "zod";
import type { Actor } from "./auth.ts";
import { enterGit } from "./git-http.ts";
import type { Repo } from "./records.ts";
import type { Sim } from "./sim.ts";

const BATCH_PATH = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/info\/lfs\/objects\/batch$/;
const STORE_PATH = /^\/_lfs\/(\d+)\/([0-9a-f]{64})\/(\d+)(\/verify)?$/;
const TYPE = "application/vnd.git-lfs+json";
const SECRET = randomBytes(32);
const EXPIRES_S = 3600;

/** docs/api/schemas/http-batch-request-schema.json. */
const Batch = z.object({
  operation: z.enum(["download", "upload"]),
  transfers: z.array(z.string()).optional(),
  ref: z.object({ name: z.string() }).optional(),
  hash_algo: z.literal("sha256").optional(),
  objects: z.array(z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.number().int().nonnegative() })),
});
type Batch = z.infer<typeof Batch>;

export type LfsExchange = { readonly request: IncomingMessage; readonly response: ServerResponse; readonly url: URL };

/** Null for what is none of Git LFS's. Resolves to who asked. */
export async function answerLfs(sim: Sim, exchange: LfsExchange): Promise<Actor | null> {
  const batch = BATCH_PATH.exec(exchange.url.pathname);
  if (batch) return await answerBatch(sim, { owner: batch[1] ?? "", name: batch[2] ?? "" }, exchange);
  const [, repoId, oid = "", size, verify] = STORE_PATH.exec(exchange.url.pathname) ?? [];
  if (repoId === undefined) return null;
  await answerStore(sim, { repoId: Number(repoId), oid, size: Number(size), isVerify: verify !== undefined }, exchange);
  return { kind: "nobody" };
}

/** Where the objects of a repository lie. */
export function lfsFile(repo: Pick<Repo, "gitDir">, oid: string): string {
  return join(repo.gitDir, "lfs", oid);
}

type Named = { readonly owner: string; readonly name: string };

async function answerBatch(sim: Sim, named: Named, { request, response, url }: LfsExchange): Promise<Actor> {
  const read = Batch.safeParse(await json(request).catch(() => null));
  const isPush = read.success && read.data.operation === "upload";
  const entered = enterGit(sim, { ...named, isPush, verb: "info/lfs", url }, request.headers.authorization);
  if (entered.kind === "refused") {
    const ask = entered.status === 401 ? { "lfs-authenticate": 'Basic realm="GitHub"' } : {};
    reply(response, entered.status, { message: entered.message.trim() }, ask);
    return { kind: "nobody" };
  }
  if (read.success) {
    const { objects } = read.data;
    const listed = await Promise.all(objects.map((object) => plan(sim, { repo: entered.repo, isPush }, object)));
    reply(response, 200, { transfer: "basic", objects: listed, hash_algo: "sha256" });
  } else reply(response, 422, { message: "The batch request is not valid." });
  return entered.actor;
}

async function plan(
  sim: Sim,
  { repo, isPush }: { readonly repo: Repo; readonly isPush: boolean },
  { oid, size }: Batch["objects"][number],
) {
  const isThere = (await stat(lfsFile(repo, oid)).catch(() => null)) !== null;
  const action = (ending: string, verb: string) => {
    const path = `/_lfs/${repo.id}/${oid}/${size}${ending}`;
    return { href: `${sim.url}${path}?signature=${sign(verb, path)}`, header: {}, expires_in: EXPIRES_S };
  };
  if (!isPush) {
    if (isThere) return { oid, size, authenticated: true, actions: { download: action("", "GET") } };
    return { oid, size, error: { code: 404, message: "Object does not exist" } };
  }
  if (isThere) return { oid, size };
  return { oid, size, authenticated: true, actions: { upload: action("", "PUT"), verify: action("/verify", "POST") } };
}

type Stored = { readonly repoId: number; readonly oid: string; readonly size: number; readonly isVerify: boolean };

async function answerStore(sim: Sim, stored: Stored, { request, response, url }: LfsExchange): Promise<void> {
  const { repoId, oid, size, isVerify } = stored;
  const method = request.method ?? "GET";
  const repo = sim.repos.find(({ id }) => id === repoId);
  const body = await buffer(request);
  if (!repo || url.searchParams.get("signature") !== sign(method, url.pathname))
    return reply(response, 403, { message: "The signature does not match." });
  const file = lfsFile(repo, oid);
  if (method === "PUT") {
    const isWhole = body.length === size && createHash("sha256").update(body).digest("hex") === oid;
    if (!isWhole) return reply(response, 400, { message: "The object is not what it says." });
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, body);
    response.writeHead(200).end();
    return;
  }
  const bytes = await readFile(file).catch(() => null);
  if (bytes === null || bytes.length !== size) return reply(response, 404, { message: "Object does not exist" });
  response.writeHead(200, { "content-type": "application/octet-stream" }).end(isVerify ? "" : bytes);
}

function sign(verb: string, path: string): string {
  return createHmac("sha256", SECRET).update(`${verb} ${path}`).digest("hex");
}

function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  response.writeHead(status, { "content-type": TYPE, ...headers });
  response.end(JSON.stringify(body));
}
