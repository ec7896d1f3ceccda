/** What a push means to do, written before it does it: how the next attempt tells our commits on a branch from anyone else's. */
import { z } from "zod";

const PushRecord = z.object({
  branch: z.string(),
  /** Every commit we ever meant to put there. */
  commits: z.array(z.string()),
  /** Of those made again on another head: which commit of ours each of them is. */
  replays: z.record(z.string(), z.string()).default({}),
});

export type PushRecord = z.infer<typeof PushRecord>;

/** Null for what is no record, such as the intent of another kind. */
export function readPushRecord(intent: unknown): PushRecord | null {
  return PushRecord.safeParse(intent).data ?? null;
}

/** The record with one more commit. Another branch is another record: what is ours there we do not know yet. */
export function noteCommit(
  record: PushRecord | null,
  { branch, commit, work }: { readonly branch: string; readonly commit: string; readonly work: string },
): PushRecord {
  const known = record?.branch === branch ? record : { branch, commits: [], replays: {} };
  const commits = known.commits.includes(commit) ? known.commits : [...known.commits, commit];
  return { branch, commits, replays: commit === work ? known.replays : { ...known.replays, [commit]: work } };
}

/** The commits of the record that are this very work, as it was or made again on another head. */
export function commitsOf(record: PushRecord | null, work: string): readonly string[] {
  return (record?.commits ?? []).filter((commit) => (record?.replays[commit] ?? commit) === work);
}
