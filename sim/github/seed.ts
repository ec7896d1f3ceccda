/** What a stand-in GitHub starts with: the App, its people and its repositories. Also the shape of a `--seed FILE`. */
import { z } from "zod";

const level = z.enum(["admin", "write", "read"]);

export const PERMISSION_NAMES = [
  "metadata",
  "contents",
  "issues",
  "pull_requests",
  "checks",
  "statuses",
  "actions",
  "members",
  "workflows",
] as const;

export const PermissionMap = z.partialRecord(z.enum(PERMISSION_NAMES), z.enum(["read", "write"]));

const AppSeed = z.object({
  id: z.number().int().positive().default(4242),
  slug: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .default("pullwright"),
  /** PEM; one is generated when it is missing. */
  privateKey: z.string().optional(),
  webhookSecret: z.string().min(1).default("sim-webhook-secret"),
  webhookUrl: z.url().optional(),
  /** What every installation grants; what Pullwright asks for when it is missing. */
  permissions: PermissionMap.default({
    metadata: "read",
    actions: "read",
    contents: "write",
    issues: "write",
    pull_requests: "write",
    checks: "write",
  }),
});

const UserSeed = z.object({
  login: z.string().min(1),
  id: z.number().int().positive().optional(),
  type: z.enum(["User", "Bot", "Organization"]).default("User"),
});

const RepositorySeed = z.object({
  /** A login of `users`. */
  owner: z.string().min(1),
  name: z.string().regex(/^[\w.-]+$/),
  id: z.number().int().positive().optional(),
  private: z.boolean().default(false),
  defaultBranch: z.string().min(1).default("main"),
  /** A folder, relative to the seed file (or the working directory), whose content becomes the first commit. */
  files: z.string().optional(),
  /** The same, spelled out: path -> text. Laid over `files`. */
  content: z.record(z.string(), z.string()).optional(),
  /** "owner/name" of another repository of this seed; its branches are copied. */
  fork_of: z
    .string()
    .regex(/^[^/]+\/[^/]+$/)
    .optional(),
  collaborators: z.record(z.string(), level).default({}),
  /** Whether the App is installed on it. */
  installed: z.boolean().default(true),
});

export const GitHubSeed = z.object({
  app: AppSeed.prefault({}),
  users: z.array(UserSeed),
  repositories: z.array(RepositorySeed),
});

/** As written: everything with a default may be left out. */
export type GitHubSeed = z.input<typeof GitHubSeed>;
export type ParsedSeed = z.output<typeof GitHubSeed>;
export type RepositorySeed = ParsedSeed["repositories"][number];
