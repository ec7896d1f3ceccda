/** What people say to a live run: their right is asked of the forge, they see at once that they were heard, then the agent hears it. */
import { Stopped, Superseded, type Inbox, type Note } from "../agent/inbox.ts";
import { NotYet } from "../failure.ts";
import type { ForgeReader } from "../forge/forge.ts";
import { authorize } from "../policy/authorize.ts";
import { visibleText } from "../policy/visible-text.ts";
import { perform, type Desk } from "../publish/perform.ts";
import type { TaskNote } from "../store/notes.ts";
import type { Task } from "../task.ts";
import type { Logger } from "pino";

/** A stop is heard within this time, also in the middle of a long command; one small query each. */
const LOOK_MS = 1_500;

export type InboxParts = {
  readonly task: Task;
  readonly desk: Desk;
  readonly reader: Pick<ForgeReader, "permission" | "pull">;
  readonly takeNotes: () => Promise<readonly TaskNote[]>;
  readonly supersededBy: () => Promise<string | null>;
  /** Aborted when the worker is to stop. */
  readonly leaving?: AbortSignal;
  readonly log: Pick<Logger, "warn">;
};

export class RunInbox implements Inbox, AsyncDisposable {
  readonly #parts: InboxParts;
  readonly #stop = new AbortController();
  readonly #notes: Note[] = [];
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> = Promise.resolve();
  /** The newer commit that the forge was asked about. */
  #newer: string | null = null;

  constructor(parts: InboxParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Throws NotYet when the worker is to stop: between two turns nothing is lost, and another worker goes on from here. */
  async take(): Promise<readonly Note[]> {
    if (this.#parts.leaving?.aborted) throw new NotYet("The worker stops; another one goes on.", 0);
    await this.#look();
    return this.#notes.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  #look(): Promise<void> {
    this.#looking = this.#looking
      .then(() => this.#hear())
      .catch((error: unknown) => {
        // Nobody was heard this time; the notes that were not taken wait for the next.
        this.#parts.log.warn({ err: error }, "notes could not be read");
      });
    return this.#looking;
  }

  async #hear(): Promise<void> {
    await this.#hearOfNewerHead();
    for (const note of await this.#parts.takeNotes()) await this.#hearOne(note);
  }

  /** A delivery said so. The forge must agree: deliveries may come in another order than what they tell of. */
  async #hearOfNewerHead(): Promise<void> {
    const { task, reader, supersededBy } = this.#parts;
    if (task.origin.kind !== "automatic" || this.#stop.signal.aborted) return;
    const newer = await supersededBy();
    if (newer === null || newer === this.#newer) return;
    const { headSha } = await reader.pull(task.repo, task.thread.number);
    this.#newer = newer;
    if (headSha !== task.headSha) this.#stop.abort(new Superseded(headSha));
  }

  async #hearOne({ kind, author, comment, body }: TaskNote): Promise<void> {
    const { task, desk, reader } = this.#parts;
    const right = await reader.permission(task.repo, author.id);
    if (authorize(task.goal, right, { isAutomatic: false }).kind === "deny") return;
    const role = `heard-${comment.kind}-${comment.id}`;
    await perform(desk, { kind: "react", role, target: { kind: "comment", comment }, content: "eyes" });
    if (kind === "stop") this.#stop.abort(new Stopped(author.login));
    else this.#notes.push({ by: author.login, text: visibleText(body).text });
  }
}
