/**
 * The only writer to the forge. Each publication is done once per task and role: its intent is recorded, an earlier effect is
 * looked up before a new one is made, and a worker that lost its lease is stopped before each write.
 */
import { createHash } from "node:crypto";
import type { ForgeWriter, Written } from "../forge/forge.ts";
import { unreachable } from "../failure.ts";
import { withMarker } from "../policy/redact.ts";
import type { Publication, Published } from "../publication.ts";
import type { Ledgered } from "../store/publications.ts";
import type { Task } from "../task.ts";
import { OWN_MARKER } from "../trigger/decide.ts";
import type { Mirror } from "../workspace/mirror.ts";
import { pushCommit, type Push } from "./push.ts";
import { commitsOf, readPushRecord } from "./push-record.ts";
import { planRescue, pushOrRescue } from "./rescue.ts";

/** The publications of one task, in durable storage. */
export type PublicationLog = {
  readonly find: (role: string) => Promise<Ledgered | null>;
  readonly intend: (role: string, intent: unknown) => Promise<void>;
  readonly complete: (role: string, written: Written) => Promise<void>;
};

export type Desk = {
  readonly writer: ForgeWriter;
  readonly task: Pick<Task, "id" | "repo" | "thread">;
  readonly log: PublicationLog;
  /** Where the commits to push are. Null for a publication that pushes nothing. */
  readonly mirror: Mirror | null;
  /** Throws when another attempt has taken the task over. */
  readonly assertCurrent: () => Promise<void>;
};

/** Does one publication, or finds it done. Throws UserError with where the matter lies, TransientError to be tried again. */
export async function perform(lent: Desk, publication: Publication): Promise<Published> {
  // Before each write: between the look and the write, and between two tries of one write, another worker may take over.
  const desk = { ...lent, writer: lent.writer.fenced(lent.assertCurrent) };
  const { role } = publication;
  await desk.assertCurrent();
  const known = await desk.log.find(role);
  const intent = { kind: publication.kind, digest: digestOf(publication) };
  if (known?.state === "done" && isSame(known.intent, publication, intent.digest)) return published(publication, known);
  // A push records its own intent, which must name the commit.
  if (publication.kind !== "push") await desk.log.intend(role, intent);
  const written = await write(desk, publication, known?.ref ?? null);
  await desk.log.complete(role, written);
  return published(publication, written);
}

function digestOf(publication: Publication): string {
  return createHash("sha256").update(JSON.stringify(publication)).digest("hex");
}

/** Whether what was done is this very thing: people may have edited, closed or deleted it since, and it stays as they left it. */
function isSame(intent: unknown, publication: Publication, digest: string): boolean {
  if (publication.kind === "push") return commitsOf(readPushRecord(intent), publication.commit).length > 0;
  return typeof intent === "object" && intent !== null && "digest" in intent && intent.digest === digest;
}

function published(publication: Publication, { ref, url }: Written): Published {
  const isReplayed = publication.kind === "push" && !url.endsWith(`/${publication.commit}`);
  const note = `\`${ref}\` had moved while I was working, so the change was made again on its new head; it fitted without a conflict.`;
  return { role: publication.role, ref, url, ...(isReplayed ? { note } : {}) };
}

/** `ref` is what an earlier attempt recorded; without it the forge is asked, since a worker may die between effect and record. */
async function write(desk: Desk, publication: Publication, ref: string | null): Promise<Written> {
  const { writer, task } = desk;
  switch (publication.kind) {
    case "react":
      // Adding the same reaction again is answered with the first one.
      return writer.react(task.repo, publication.target, publication.content);
    case "comment":
      return writeComment(desk, publication, ref);
    case "push":
      return writePush(desk, publication);
    case "pull":
      return writePull(desk, publication, ref);
    case "review":
      return writeReview(desk, publication, ref);
    case "check":
      return writeCheck(desk, publication, ref);
    case "resolve-thread":
      return writer.resolveThread(task.repo, publication.pull, publication.rootCommentId);
    default:
      return unreachable(publication);
  }
}

async function writeComment(
  desk: Desk,
  it: Extract<Publication, { kind: "comment" }>,
  ref: string | null,
): Promise<Written> {
  const { writer, task } = desk;
  const mark = marker(task, it.role);
  const body = withMarker(it.body, mark);
  const known = ref ?? (await writer.findComment(task.repo, it.place, mark))?.ref ?? null;
  if (known !== null) return writer.updateComment(task.repo, it.place, known, body);
  return writer.createComment(task.repo, it.place, body);
}

/** A pull request's branch is others', too: what it does not take goes beside it. */
async function writePush(desk: Desk, it: Push): Promise<Written> {
  if (it.to.kind === "own-branch") return pushAs(desk, it);
  const { thread } = desk.task;
  const rescue = planRescue(it, { number: thread.number, suffix: suffixOf(desk.task) });
  return pushOrRescue(
    () => pushAs(desk, it),
    () => perform(desk, rescue),
  );
}

async function pushAs({ mirror, log, writer, task, assertCurrent }: Desk, it: Push): Promise<Written> {
  if (mirror === null) throw new Error("a push needs the repository that holds its commit");
  const known = await log.find(it.role);
  return pushCommit(it, {
    mirror,
    openAccess: () => writer.pushAccess(task.repo),
    readFacts: (branch) => writer.pushFacts(task.repo, branch),
    fallbackSuffix: suffixOf(task),
    earlier: readPushRecord(known?.intent),
    intend: (record) => log.intend(it.role, record),
    assertCurrent,
  });
}

function suffixOf({ id }: Pick<Task, "id">): string {
  return id.slice(0, 6);
}

async function writePull(desk: Desk, it: Extract<Publication, { kind: "pull" }>, ref: string | null): Promise<Written> {
  const { writer, task } = desk;
  const push = await desk.log.find(it.headRole);
  const head = push?.state === "done" ? push.ref : null;
  if (head === null) throw new Error("a pull request needs its branch pushed first");
  const known = ref ?? (await writer.findPull(task.repo, head))?.ref ?? null;
  if (known !== null) return writer.updatePull(task.repo, known, it);
  return writer.createPull(task.repo, { ...it, head });
}

async function writeReview(
  desk: Desk,
  it: Extract<Publication, { kind: "review" }>,
  ref: string | null,
): Promise<Written> {
  const { writer, task } = desk;
  const mark = marker(task, it.role);
  const known = await writer.findReview(task.repo, it.pull, mark);
  // A posted review is never edited: people may have answered its comments.
  if (known !== null && (ref === null || known.ref === ref)) return known;
  return writer.createReview(task.repo, { ...it, body: withMarker(it.body, mark) });
}

async function writeCheck(
  desk: Desk,
  it: Extract<Publication, { kind: "check" }>,
  ref: string | null,
): Promise<Written> {
  const { writer, task } = desk;
  const check = { ...it, externalId: `${task.id}:${it.role}` };
  const known = ref ?? (await writer.findCheck(task.repo, it.headSha, check.externalId))?.ref ?? null;
  if (known !== null) return writer.updateCheck(task.repo, known, check);
  return writer.createCheck(task.repo, check);
}

/** Invisible on the page, and how a lost worker's comment is found again. trigger/ ignores any comment that holds one. */
export function marker(task: Pick<Task, "id">, role: string): string {
  return `${OWN_MARKER}${task.id}:${role} -->`;
}
