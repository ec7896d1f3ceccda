/**
 * How the host tells git what to do: always with an empty environment and with every setting that could start a program turned
 * off. It must never be pointed at a git directory that sandboxed code can write: no flag makes that safe.
 */
import type { GitAccess } from "../forge/forge.ts";

export type GitPlace = {
  readonly gitDir: string;
  /** The tree to read and write, or null for a bare repository. */
  readonly workTree: string | null;
  /** An index of one's own, so that a snapshot does not disturb another. */
  readonly indexFile?: string;
};

export type GitOptions = {
  /** Gives the network: without it every protocol is refused. */
  readonly access?: GitAccess;
  /** A local repository of ours may be read by this one command. */
  readonly allowsFile?: boolean;
  /** `date` as git reads it; now without it. */
  readonly identity?: { readonly name: string; readonly email: string; readonly date?: string };
  /** More settings, each "name=value", after those that harden. */
  readonly settings?: readonly string[];
  readonly signal?: AbortSignal;
};

/** git ended with an error. `stderr` may hold text an attacker chose: it is never parsed for a decision, nor published. */
export class GitError extends Error {
  override readonly name = "GitError";
  readonly exitCode: number;
  readonly stderr: string;
  /** What some verbs report by although they fail (a push's porcelain, a merge's conflicts); only gitPipe keeps it. */
  readonly stdout: string;
  constructor(verb: string, exitCode: number, { stderr, stdout = "" }: { stderr: string; stdout?: string }) {
    super(`git ${verb} failed with status ${exitCode}: ${stderr.trim().slice(0, 2000)}`);
    this.exitCode = exitCode;
    this.stderr = stderr;
    this.stdout = stdout;
  }
}

/** All that git finds in its environment. */
export function gitEnvironment(place: GitPlace, options: GitOptions): Record<string, string> {
  const { access, identity } = options;
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: "/nonexistent",
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "/bin/false",
    SSH_ASKPASS: "/bin/false",
    GIT_SSH_COMMAND: "/bin/false",
    GIT_EDITOR: "/bin/true",
    GIT_SEQUENCE_EDITOR: "/bin/true",
    GIT_PAGER: "cat",
    GIT_PROTOCOL_FROM_USER: "0",
    GIT_NO_REPLACE_OBJECTS: "1",
    GIT_NO_LAZY_FETCH: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_ALLOW_PROTOCOL: access ? new URL(access.url).protocol.slice(0, -1) : options.allowsFile ? "file" : "none",
    GIT_DIR: place.gitDir,
    ...(place.workTree ? { GIT_WORK_TREE: place.workTree } : {}),
    ...(place.indexFile ? { GIT_INDEX_FILE: place.indexFile } : {}),
    ...(access ? credentials(access) : {}),
    ...(identity
      ? {
          GIT_AUTHOR_NAME: identity.name,
          GIT_AUTHOR_EMAIL: identity.email,
          GIT_COMMITTER_NAME: identity.name,
          GIT_COMMITTER_EMAIL: identity.email,
          ...(identity.date === undefined ? {} : { GIT_AUTHOR_DATE: identity.date, GIT_COMMITTER_DATE: identity.date }),
        }
      : {}),
  };
}

/** The token travels in the environment of this one process, scoped to the forge's origin; never in argv, a URL or a file. */
function credentials(access: GitAccess): Record<string, string> {
  return {
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: `http.${new URL(access.url).origin}/.extraHeader`,
    GIT_CONFIG_VALUE_0: `Authorization: ${basicOf(access)}`,
  };
}

/** The forge takes an installation's token as a password. */
export function basicOf({ token }: GitAccess): string {
  return `Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
}

/**
 * Faults of git-fsck(1) in what commits say of people and times, and in how a mode is written: old tools made them, so old histories have
 * them (psf/requests is one), and they lead nobody astray. All others are refused.
 */
const OLD_FAULTS = [
  ...["missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingEmail", "missingNameBeforeEmail", "badEmail"],
  ...["badName", "badDate", "badDateOverflow", "badTimezone", "zeroPaddedDate", "zeroPaddedFilemode"],
] as const;

const HARDENING = [
  "safe.bareRepository=explicit",
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "core.attributesFile=/dev/null",
  "core.excludesFile=/dev/null",
  "core.sshCommand=/bin/false",
  "core.gitProxy=",
  "core.askPass=",
  "core.alternateRefsCommand=/bin/false",
  "core.pager=cat",
  "core.editor=/bin/true",
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "core.untrackedCache=false",
  "core.splitIndex=false",
  "core.quotePath=false",
  "commit.gpgSign=false",
  "tag.gpgSign=false",
  "push.gpgSign=false",
  "log.showSignature=false",
  "gpg.program=/bin/false",
  "gpg.ssh.program=/bin/false",
  "diff.external=",
  "credential.helper=",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "push.recurseSubmodules=no",
  "diff.submodule=short",
  "diff.ignoreSubmodules=all",
  "status.submoduleSummary=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "protocol.ext.allow=never",
  "transfer.fsckObjects=true",
  ...OLD_FAULTS.map((fault) => `fetch.fsck.${fault}=ignore`),
  "http.followRedirects=false",
] as const;

/** What stands before the verb. */
export function gitOptions(options: GitOptions): readonly string[] {
  const protocol = options.access
    ? new URL(options.access.url).protocol.slice(0, -1)
    : options.allowsFile
      ? "file"
      : null;
  const allowed = ["protocol.allow=never", ...(protocol ? [`protocol.${protocol}.allow=always`] : [])];
  const own = options.settings ?? [];
  return ["--no-pager", ...[...HARDENING, ...allowed, ...own].flatMap((setting) => ["-c", setting])];
}
