/** A repository, its set-up cache and a sandbox, in which set-ups are run one after the other. */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalEntry } from "../../src/journal.ts";
import { parseRepoSettings } from "../../src/run/repo-settings.ts";
import { setUp, type SetUpEnd, type SetUpParts } from "../../src/run/set-up.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { SANDBOX_LIMITS } from "../../src/sandbox/limits.ts";
import { SetUpCache } from "../../src/workspace/set-up-cache.ts";
import { listChanges, snapshot } from "../../src/workspace/snapshot.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import type { Internet } from "../sandbox/internet.ts";
import { TOOLS } from "../sandbox/open-session.ts";
import { openRepository, type Files, type TestRepository } from "../workspace/repository.ts";

const never = new AbortController().signal;

export type Choice = {
  readonly settings?: string;
  /** A pull request's number, and whether it comes from a fork; null for an issue. */
  readonly pull?: { readonly number: number; readonly isFork: boolean } | null;
  readonly commit?: number;
  /** A commit that was made later, as base and head. */
  readonly sha?: string;
  /** Looks at the tree while the workspace is open. */
  readonly look?: (workspace: Workspace) => Promise<unknown>;
};

type Ran = Pick<SetUpEnd, "environment" | "brief"> & {
  readonly entries: readonly JournalEntry[];
  readonly changed: readonly string[];
  readonly seen: unknown;
};

type Place = AsyncDisposable & {
  readonly run: (choice?: Choice) => Promise<Ran>;
  readonly internet: Internet;
  readonly cacheDir: string;
  readonly repository: TestRepository;
};

export async function openPlace(
  internet: Internet,
  trees: readonly Files[],
  more: Partial<Pick<SetUpParts, "secrets" | "image">> = {},
): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), "pw-set-up-"));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  await chmod(dir, 0o711);
  const npmrc = { ".npmrc": "cafile=ca.pem\nupdate-notifier=false\n", "ca.pem": internet.certificate };
  const repository = stack.use(await openRepository(...trees.map((tree) => ({ ...npmrc, ...tree }))));
  const cacheDir = join(dir, "cache");
  const parts = { cache: new SetUpCache(cacheDir), secrets: {}, network: internet.network, image: "test", ...more };
  const sandbox = bubblewrapSandbox(TOOLS);
  const run = async ({ settings = "", pull = null, commit = 0, sha, look }: Choice = {}): Promise<Ran> => {
    const { mirror } = repository;
    const [first = "", later = ""] = [repository.commits[0], repository.commits[commit]];
    const [baseSha, headSha] = sha === undefined ? [first, later] : [sha, sha];
    const opening = { mirror, sha: headSha, runsDir: join(dir, "runs") };
    await using workspace = await Workspace.open(opening, never);
    const facts = { state: "open", title: "", body: "", baseBranch: "main", headBranch: "x", isDraft: false } as const;
    const whole = pull && { ...facts, ...pull, headSha, headRepo: null };
    const entries: JournalEntry[] = [];
    await using end = await setUp(
      {
        ...{ parts, sandbox, workspace, repoId: 7, settings: await parseRepoSettings(settings) },
        opening: { workspaceDir: workspace.treeDir, owner: workspace.owner, readOnlyPaths: [], limits: SANDBOX_LIMITS },
        checkout: {
          mirror: { ...mirror, [Symbol.dispose]: () => {} },
          pull: whole as never,
          baseSha,
          headSha,
          forkSha: baseSha,
          newestHeadSha: headSha,
          isPinned: false,
        },
        journal: { append: async (entry) => void entries.push(entry), read: async () => [] },
      },
      never,
    );
    const seen = await look?.(workspace);
    const tree = await snapshot(workspace, never);
    const changed = (await listChanges(workspace.place, headSha, tree)).map(({ path }) => path);
    return { environment: end.environment, brief: end.brief, entries, changed, seen };
  };
  const undo = stack.move();
  return { run, internet, cacheDir, repository, [Symbol.asyncDispose]: () => undo.disposeAsync() };
}
