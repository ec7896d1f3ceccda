/** The few git verbs the host runs: here by themselves, over the network through simple-git. */
import type { SimpleGitOptions } from "simple-git";
import { UserError } from "../failure.ts";
import { isSafeRef } from "../policy/paths.ts";
import { gitEnvironment, GitError, gitOptions, type GitOptions, type GitPlace } from "./git-command.ts";
import { gitPipe } from "./git-pipe.ts";
import { onceMore } from "./once-more.ts";

/** git fetching a large repository for the first time is slow; one that says nothing for this long has hung. */
const SILENCE_MS_MAX = 120_000;

/** Runs one git command and returns its standard output. `args` is a list, never a shell line. Throws GitError. */
export async function git(place: GitPlace, args: readonly string[], options: GitOptions = {}): Promise<string> {
  // simple-git waits 50 ms after a command that has said nothing, in case it has not been heard yet.
  if (!options.access) return (await gitPipe(place, args, options)).toString();
  return await gitByNetwork(place, args, options);
}

async function gitByNetwork(place: GitPlace, args: readonly string[], options: GitOptions): Promise<string> {
  const env = gitEnvironment(place, options);
  let exitCode = 0;
  const settings: Partial<SimpleGitOptions> = {
    baseDir: place.workTree ?? place.gitDir,
    allowEnvironment: Object.keys(env),
    unsafe: GUARDS_OFF,
    timeout: { block: SILENCE_MS_MAX },
    // Else each command takes 50 ms more, in case a child of it holds the pipes; none of ours leaves one.
    completion: { onClose: true, onExit: false },
    ...(options.signal ? { abort: options.signal } : {}),
    errors(error, result) {
      exitCode = result.exitCode;
      if (result.exitCode !== 0 && !error) return Buffer.concat(result.stdErr);
      return error;
    },
  };
  const { simpleGit } = await import("simple-git"); // A local run never comes here, and need not read it.
  try {
    return await simpleGit(settings)
      .env(env)
      .raw([...gitOptions(options), ...args]);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw new GitError(args[0] ?? "", exitCode, { stderr: error instanceof Error ? error.message : String(error) });
  }
}

/**
 * As `git`, for a command that only reads from the forge and whose failure means the forge or the network: made once more, then tried
 * again later rather than reported.
 */
export function gitOverNetwork(place: GitPlace, args: readonly string[], options: GitOptions): Promise<string> {
  const mayPass = (error: unknown) => error instanceof GitError;
  const why = "git could not reach the repository";
  return onceMore(() => git(place, args, options), { mayPass, why }, options.signal);
}

/** Refuses a ref that policy does not allow before git sees its name. */
export function requireSafeRef(name: string): string {
  if (isSafeRef(name)) return name;
  throw new UserError(
    "The branch name has characters that Pullwright does not pass to git. Rename the branch and try again.",
  );
}

/**
 * simple-git refuses settings that could start programs. Ours are the ones that stop git from starting any, so its guards
 * are turned off for this one home; what is passed here never comes from outside except refs (requireSafeRef) and commit ids.
 */
const GUARDS_OFF = {
  allowUnsafeAlias: true,
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeEditor: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeGitProxy: true,
  allowUnsafeGpgProgram: true,
  allowUnsafeHooksPath: true,
  allowUnsafePager: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeTemplateDir: true,
} as const;
