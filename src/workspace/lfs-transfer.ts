/**
 * Git LFS's own protocol, by the forge's address and with the token of one command: git-lfs's docs/api/batch.md and basic-transfers.md.
 * An address that a repository names (.lfsconfig) is never asked.
 */
import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { TransientError } from "../failure.ts";
import type { GitAccess } from "../forge/forge.ts";
import { basicOf } from "./git-command.ts";
import type { LfsObject } from "./lfs-pointer.ts";
import { onceMore } from "./once-more.ts";

/** The specification's advice for one request. */
const BATCH_OBJECTS_MAX = 100;
/** A gigabyte on a slow line. */
const TRANSFER_MS_MAX = 600_000;
const ASK_MS_MAX = 60_000;
/** Small objects wait for the line rather than for the disk. */
const AT_ONCE = 8;

const TYPE = "application/vnd.git-lfs+json";

const Action = z.object({ href: z.string(), header: z.record(z.string(), z.string()).default({}) });
const Batch = z.object({
  objects: z.array(
    z.object({
      oid: z.string(),
      actions: z
        .object({ download: Action.optional(), upload: Action.optional(), verify: Action.optional() })
        .default({}),
      error: z.object({ code: z.number() }).optional(),
    }),
  ),
});
type Action = z.infer<typeof Action>;
type Planned = z.infer<typeof Batch>["objects"][number];

/** The forge refused with this status, and would again. */
export class LfsRefused extends Error {
  override readonly name = "LfsRefused";
  readonly status: number;
  constructor(status: number) {
    super(`the forge refused Git LFS with status ${status}`);
    this.status = status;
  }
}

/** Fetches each object that the forge gives into `fileOf(oid)`, whole and proved or not at all. Throws LfsRefused, TransientError. */
export async function download(
  access: GitAccess,
  { objects, fileOf }: { readonly objects: readonly LfsObject[]; readonly fileOf: (oid: string) => string },
  signal: AbortSignal,
): Promise<void> {
  for (const asked of inBatches(objects)) {
    const planned = byOid(await ask(access, { operation: "download", objects: asked }, signal));
    await inParallel(asked, async (object) => {
      const action = planned.get(object.oid)?.actions.download;
      if (action) await again(() => fetchObject(action, { object, file: fileOf(object.oid) }, signal), signal);
    });
  }
}

/** Sends what the forge does not have. Throws LfsRefused, or TransientError to be tried again. */
export async function upload(
  access: GitAccess,
  { objects, read }: { readonly objects: readonly LfsObject[]; readonly read: (oid: string) => Promise<Uint8Array> },
  signal: AbortSignal,
): Promise<void> {
  for (const asked of inBatches(objects)) {
    const planned = byOid(await ask(access, { operation: "upload", objects: asked }, signal));
    // One after the other: each is held in memory.
    for (const object of asked) {
      const { actions, error } = planned.get(object.oid) ?? { actions: {}, error: { code: 404 } };
      if (error) throw new LfsRefused(error.code);
      const { upload: sent, verify } = actions;
      if (sent === undefined) continue; // It is there.
      const body = await read(object.oid);
      await again(() => sendObject(sent, { method: "PUT", body, type: "application/octet-stream" }, signal), signal);
      if (verify === undefined) continue;
      const said = JSON.stringify({ oid: object.oid, size: object.bytes });
      await again(() => sendObject(verify, { method: "POST", body: said, type: TYPE }, signal), signal);
    }
  }
}

type Question = { readonly operation: "download" | "upload"; readonly objects: readonly LfsObject[] };

function ask(access: GitAccess, { operation, objects }: Question, signal: AbortSignal): Promise<readonly Planned[]> {
  const wanted = objects.map(({ oid, bytes }) => ({ oid, size: bytes }));
  const body = JSON.stringify({ operation, transfers: ["basic"], objects: wanted, hash_algo: "sha256" });
  return again(async () => {
    const response = await request(`${access.url}/info/lfs/objects/batch`, {
      ...{ method: "POST", body, redirect: "error" },
      headers: { accept: TYPE, "content-type": TYPE, authorization: basicOf(access) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_MS_MAX)]),
    });
    const read = Batch.safeParse(await response.json().catch(() => null));
    if (!read.success) throw new TransientError("the forge's answer about Git LFS cannot be read");
    return read.data.objects;
  }, signal);
}

type Fetched = { readonly object: LfsObject; readonly file: string };

/** A file of that name is what its name says: it gets the name when its bytes are proved. */
async function fetchObject({ href, header }: Action, { object, file }: Fetched, signal: AbortSignal): Promise<void> {
  const ending = AbortSignal.any([signal, AbortSignal.timeout(TRANSFER_MS_MAX)]);
  const { body } = await request(href, { headers: header, signal: ending });
  const hash = createHash("sha256");
  let bytes = 0;
  const prove = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      // Longer than it said: the rest would only fill the disk.
      done(bytes > object.bytes ? new TransientError("an object of Git LFS is not what it says") : null, chunk);
    },
  });
  const part = `${file}.${randomBytes(6).toString("hex")}.part`;
  try {
    await pipeline(body ? Readable.fromWeb(body) : Readable.from([]), prove, createWriteStream(part), {
      signal: ending,
    });
    if (bytes !== object.bytes || hash.digest("hex") !== object.oid)
      throw new TransientError("an object of Git LFS is not what it says");
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

type Sent = { readonly method: "PUT" | "POST"; readonly body: Uint8Array | string; readonly type: string };

async function sendObject({ href, header }: Action, { method, body, type }: Sent, signal: AbortSignal): Promise<void> {
  const headers = { "content-type": type, accept: TYPE, ...header };
  const ending = AbortSignal.any([signal, AbortSignal.timeout(TRANSFER_MS_MAX)]);
  const response = await request(href, { method, body: Buffer.from(body), headers, signal: ending });
  await response.body?.cancel();
}

/** Resolves to a success. Throws LfsRefused, or TransientError for what may pass: no answer, too many requests, an ill server. */
async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.ok) return response;
  await response.body?.cancel();
  const { status } = response;
  if (status === 408 || status === 429 || (status >= 500 && !LASTING.has(status)))
    throw new TransientError(`Git LFS answered with status ${status}`);
  throw new LfsRefused(status);
}

/** batch.md: no room, and no more bandwidth. */
const LASTING: ReadonlySet<number> = new Set([507, 509]);

function again<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const mayPass = (error: unknown) => !(error instanceof LfsRefused);
  return onceMore(act, { mayPass, why: "Git LFS could not be reached" }, signal);
}

function* inBatches(objects: readonly LfsObject[]): Generator<readonly LfsObject[]> {
  for (let i = 0; i < objects.length; i += BATCH_OBJECTS_MAX) yield objects.slice(i, i + BATCH_OBJECTS_MAX);
}

function byOid(planned: readonly Planned[]): ReadonlyMap<string, Planned> {
  return new Map(planned.map((object) => [object.oid, object]));
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const work = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}
