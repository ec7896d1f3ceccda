/** What GitHub refuses after a push has arrived, as a real update hook of the bare repository: protection, rules, workflow files. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Actor } from "./auth.ts";
import { levelOf } from "./access.ts";
import type { Repo } from "./records.ts";

/** A branch and what may not be done to it. `branches` is a shell pattern; `says` goes to the pusher's standard error as it is. */
export type Rule = { readonly branches: string; readonly type: string; readonly says: string };

/** git hands the hook the reference, what it is and what it shall be. Rules come as lines of "PATTERN TYPE" in the environment. */
const HOOK = `#!/bin/sh
set -f
IFS='
'
none=0000000000000000000000000000000000000000
branch=\${1#refs/heads/}
refuse() {
  [ -z "$SIM_SAYS" ] || printf '%s\\n' "$SIM_SAYS" >&2
  printf 'error: %s\\n' "$1" >&2
  exit 1
}
kind=update
[ "$2" = "$none" ] && kind=creation
[ "$3" = "$none" ] && kind=deletion
if [ "$kind" = update ] && ! git merge-base --is-ancestor "$2" "$3"; then kind=non_fast_forward; fi
for rule in $SIM_RULES; do
  type=\${rule##* }
  pattern=\${rule% *}
  case "$branch" in
    $pattern) ;;
    *) continue ;;
  esac
  case "$type" in
    hidden) refuse "push declined" ;;
    protected) refuse "GH006: Protected branch update failed for $1." ;;
    creation | update | deletion) [ "$type" != "$kind" ] || refuse "GH013: Repository rule violations found for $1." ;;
    non_fast_forward) [ "$kind" != non_fast_forward ] || refuse "GH013: Repository rule violations found for $1." ;;
    *) [ "$kind" = creation ] || refuse "GH013: Repository rule violations found for $1." ;;
  esac
done
if [ "$SIM_WORKFLOWS" != write ] && [ "$kind" != deletion ]; then
  touched=$(git log -1 --format=%H "$3" --not --all -- .github/workflows)
  [ -z "$touched" ] || refuse "refusing to allow a GitHub App to create or update workflow without \\\`workflows\\\` permission"
fi
exit 0
`;

export function hooksDir(repo: Pick<Repo, "gitDir">): string {
  return join(repo.gitDir, "sim-hooks");
}

export async function writeHook(gitDir: string): Promise<void> {
  const file = join(hooksDir({ gitDir }), "update");
  await mkdir(hooksDir({ gitDir }), { recursive: true });
  await writeFile(file, HOOK);
  await chmod(file, 0o755);
}

/** What the hook must know of who pushes. An admin may bypass, and so may whoever pushes workflow files by name. */
export function hookEnvironment(repo: Repo, actor: Actor): Record<string, string> {
  const isAdmin = actor.kind === "person" && levelOf(repo, actor.user) === "admin";
  const rules = isAdmin ? [] : repo.rules;
  const mayWriteWorkflows = actor.kind === "person" || (actor.kind === "installation" && actor.permissions.workflows);
  return {
    SIM_RULES: rules.map(({ branches, type }) => `${branches} ${type}`).join("\n"),
    SIM_SAYS: rules.map(({ says }) => says).join("\n"),
    SIM_WORKFLOWS: mayWriteWorkflows ? "write" : "",
  };
}

/** Whether a shell pattern of stars covers the branch. */
export function covers(pattern: string, branch: string): boolean {
  const source = pattern.split("*").map((part) => part.replaceAll(/[.+?^$(){}|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join(".*")}$`).test(branch);
}
