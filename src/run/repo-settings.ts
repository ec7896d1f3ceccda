/** `.github/agent.yml` at the base commit: what a repository's maintainers set for us. A pull request's copy is never read. */
import { z } from "zod";
import { UserError } from "../failure.ts";
import { git } from "../workspace/git.ts";
import type { GitPlace } from "../workspace/git-command.ts";

export const SETTINGS_PATH = ".github/agent.yml";

const modelId = z.string().regex(/^[a-z-]+\/.+$/, "must look like provider/model");

/** A star stands for every name below a name of at least two parts. Addresses are never allowed. */
const host = z
  .string()
  .max(253)
  .regex(
    /^(?:\*\.(?=[^.]+\.))?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*$/,
    "must be a host's name in small letters, or *. and a name, without scheme, port or path",
  );
const hosts = z.array(host).max(50).default([]);

/** Names that mean nothing to git's patterns, so that they are taken as they are. */
const folder = z
  .string()
  .max(500)
  .regex(
    /^(?!\.{1,2}(?:\/|$))[^/\s*?[\]\\!#][^/*?[\]\\\p{C}]*(?:\/(?!\.{1,2}(?:\/|$))[^/*?[\]\\\p{C}]+)*$/u,
    "must be a folder's path from the root of the repository, such as packages/web",
  );

const RepoSettings = z.strictObject({
  /** Commands that must pass before a pull request is ready. Run by the host in the sandbox, before and after the agent. */
  checks: z.array(z.string().min(1)).max(10).default([]),
  /** Runs in the sandbox before the agent, with the network of `network.setup`. Left out, lockfiles say what; "" is nothing. */
  setup: z.string().max(4000).optional(),
  network: z
    .strictObject({
      /** Hosts for the set-up, besides the public registries of the package managers that are found. */
      setup: hosts,
      /** Hosts for the agent's own commands, which else have no network. */
      agent: hosts,
      registries: z.boolean().default(true),
    })
    .prefault({}),
  checkout: z
    .strictObject({
      /** Folders of a monorepo; without any all of it. Files of the folders above them are there, too. */
      sparse: z.array(folder).max(50).default([]),
      /** Got by the set-up in the sandbox, without credentials, from github.com and `network.setup`. */
      submodules: z.boolean().default(false),
      /** Files that Git LFS keeps, instead of their pointers; got by the host from the forge. */
      lfs: z.boolean().default(false),
    })
    .prefault({}),
  /** Each must be of a vendor the installation has a key for. */
  models: z
    .strictObject({ author: modelId.optional(), reviewer: modelId.optional(), small: modelId.optional() })
    .default({}),
  /** Another model's look at a change before it is published; with `tests` it writes tests for it first. */
  second_opinion: z
    .strictObject({ enabled: z.boolean().default(true), tests: z.boolean().default(false) })
    .prefault({}),
  limits: z
    .strictObject({
      turns: z.number().int().positive().optional(),
      minutes: z.number().positive().optional(),
      usd: z.number().positive().optional(),
      usd_per_day: z.number().positive().optional(),
    })
    .default({}),
  review: z
    .strictObject({
      automatic: z.boolean().default(true),
      drafts: z.boolean().default(false),
      /** Whether the set-up runs before a review too, so that the reviewer can run tests. */
      setup: z.boolean().default(false),
      /** May wait for the vendor's batch, up to a day, at half the price. */
      batch: z.boolean().default(false),
      /** Replies to the exact same request are kept for thirty days and then cost nothing. */
      cache: z.boolean().default(false),
    })
    .prefault({}),
});
export type RepoSettings = z.infer<typeof RepoSettings>;

export async function readRepoSettings(place: GitPlace, base: string): Promise<RepoSettings> {
  const listed = await git(place, ["ls-tree", "--name-only", base, "--", SETTINGS_PATH]);
  if (listed.trim() === "") return await parseRepoSettings("");
  return await parseRepoSettings(await git(place, ["cat-file", "blob", `${base}:${SETTINGS_PATH}`]));
}

/** Throws UserError naming the line of each mistake; an unknown key is one, so that a typing error is never silent. */
export async function parseRepoSettings(text: string): Promise<RepoSettings> {
  if (text === "") return RepoSettings.parse({});
  const { LineCounter, parseDocument } = await import("yaml"); // 70 files, which a run in a folder without settings need not load.
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const broken = document.errors.map(
    (error) => `- line ${lines.linePos(error.pos[0]).line}: ${error.message.split("\n")[0] ?? ""}`,
  );
  if (broken.length > 0) throw wrong(broken);
  const parsed = RepoSettings.safeParse(document.toJS() ?? {});
  if (parsed.success) return parsed.data;
  throw wrong(
    parsed.error.issues.map((issue) => {
      const key = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0]] : issue.path;
      const node = document.getIn(key, true);
      const range = typeof node === "object" && node !== null && "range" in node ? node.range : null;
      const offset = Array.isArray(range) && typeof range[0] === "number" ? range[0] : 0;
      return `- line ${lines.linePos(offset).line}, \`${key.join(".")}\`: ${issue.message}`;
    }),
  );
}

function wrong(lines: readonly string[]): UserError {
  return new UserError(
    `\`${SETTINGS_PATH}\` on the default branch is wrong, so nothing was started:\n\n${lines.join("\n")}`,
  );
}
