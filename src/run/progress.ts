/**
 * The journal, read aloud: each entry appended is durable first and then shown, as a comment edited in place or, for a review, as
 * a check run. A forge that cannot be reached never stops the work; only the last word must get through.
 */
import type { Logger } from "pino";
import { TransientError } from "../failure.ts";
import type { JournalEntry, RecordedEntry, TreeJournal, TreePack } from "../journal.ts";
import type { Publication, PublicText } from "../publication.ts";
import type { Task } from "../task.ts";
import { perform, type Desk } from "../publish/perform.ts";
import type { Voice } from "../publish/plan.ts";
import { renderProgress } from "../publish/render-progress.ts";
import type { Work } from "../publish/render-work.ts";

/** Edits of one comment at most this often: GitHub's secondary limits count them, and a page that flickers is not read. */
export const PROGRESS_GAP_MS = 10_000;
/** And rarer the longer a run lasts, 500 in an hour being what GitHub's secondary limits give a whole installation: half an hour has 64. */
const PROGRESS_GAP_SHARE = 20;

export type ProgressParts = {
  readonly journal: TreeJournal;
  /** What earlier attempts wrote: the comment tells of the task, not of the attempt. */
  readonly earlier: readonly RecordedEntry[];
  readonly desk: Desk;
  readonly task: Task;
  readonly voice: Voice;
  readonly usdMax: number;
  readonly gapMs: number;
  readonly now: () => number;
  readonly log: Pick<Logger, "warn">;
};

export class Progress implements TreeJournal, AsyncDisposable {
  readonly #parts: ProgressParts;
  readonly #entries: RecordedEntry[];
  #shownAt = 0;
  #showing: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;
  /** The commit a check run belongs to; until the run knows it, a review shows nothing. */
  #headSha: string | null;

  constructor(parts: ProgressParts) {
    this.#parts = parts;
    // How an attempt ended is said again by the one that publishes it.
    this.#entries = parts.earlier.filter(({ entry }) => entry.kind !== "finished" && entry.kind !== "published");
    const ready = this.#entries.findLast(({ entry }) => entry.kind === "workspace-ready")?.entry;
    this.#headSha = ready?.kind === "workspace-ready" ? ready.headSha : parts.task.headSha;
  }

  async append(entry: JournalEntry): Promise<void> {
    await this.#parts.journal.append(entry);
    this.#show([entry]);
  }

  async appendTogether(entries: readonly JournalEntry[], pack: TreePack | null): Promise<void> {
    await this.#parts.journal.appendTogether(entries, pack);
    this.#show(entries);
  }

  read(): Promise<readonly RecordedEntry[]> {
    return this.#parts.journal.read();
  }

  /** The last word. `failure` is Markdown for the asker; `work` is shown with it when no branch does. Throws when it cannot be said. */
  async finish(failure: string | null, work: Work | null): Promise<void> {
    this.#stopTimer();
    await this.#showing;
    const publication = this.#publication(failure, work, true);
    if (publication) await perform(this.#parts.desk, publication);
  }

  /** Stops showing. Without a last word before, the run goes to another attempt, which speaks through the same comment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopTimer();
    await this.#showing;
  }

  #show(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      this.#entries.push({ seq: this.#entries.length + 1, at: this.#parts.now(), entry });
      if (entry.kind === "workspace-ready") this.#headSha = entry.headSha;
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer) return;
    const now = this.#parts.now();
    const workedMs = now - (this.#entries[0]?.at ?? now);
    const gapMs = Math.max(this.#parts.gapMs, workedMs / PROGRESS_GAP_SHARE);
    const waitMs = Math.max(0, this.#shownAt + gapMs - now);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#shownAt = this.#parts.now();
      this.#showing = this.#showing.then(() => this.#perform());
    }, waitMs);
    this.#timer.unref();
  }

  async #perform(): Promise<void> {
    const publication = this.#publication(null, null, false);
    if (!publication) return;
    try {
      await perform(this.#parts.desk, publication);
    } catch (error) {
      // Whatever is wrong will be found again, and acted on, by the writes that matter.
      this.#parts.log.warn({ err: error, isTransient: error instanceof TransientError }, "progress could not be shown");
    }
  }

  #publication(failure: string | null, work: Work | null, isFinal: boolean): Publication | null {
    const { task, voice, usdMax, now } = this.#parts;
    const text = voice.say(renderProgress(this.#entries, { usdMax, now: now(), work }, failure));
    if (task.goal === "review") return this.#check(text, failure, isFinal);
    const comment = task.origin.kind === "command" ? task.origin.comment : null;
    const place =
      comment?.kind === "review-thread"
        ? ({ kind: "review-thread", pull: task.thread.number, rootCommentId: comment.rootId } as const)
        : ({ kind: "conversation", thread: task.thread } as const);
    return { kind: "comment", role: "progress", place, body: text };
  }

  /** Neutral, never green: a review that found nothing is not a proof that there is nothing. */
  #check(summary: PublicText, failure: string | null, isFinal: boolean): Publication | null {
    if (this.#headSha === null) return null;
    const ended = failure === null ? "neutral" : "failure";
    const title = isFinal ? (failure === null ? this.#endTitle() : "The review failed") : "Reviewing";
    return {
      kind: "check",
      role: "progress",
      name: "Pullwright review",
      headSha: this.#headSha,
      state: isFinal ? ended : "in_progress",
      title: this.#parts.voice.sayTitle(title),
      summary,
    };
  }

  #endTitle(): string {
    const end = this.#entries.findLast(({ entry }) => entry.kind === "finished")?.entry;
    const kind = end?.kind === "finished" ? end.outcome.kind : "reviewed";
    return kind === "superseded" ? "Superseded" : kind === "nothing-changed" ? "Not reviewed" : "Reviewed";
  }

  #stopTimer(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
