/** How bubblewrap is started: joined to its cgroups, with none of our open files, and never as root. */

/** A host path that the sandbox's uid cannot walk to; root binds it where it can, in a mount namespace of its own. */
export type Staged = { readonly source: string; readonly target: string; readonly isFolder: boolean };

export type LaunchPlan = {
  /** cgroup.procs files to join. */
  readonly joins: readonly string[];
  readonly stagingDir: string | null;
  readonly staged: readonly Staged[];
  /** null when we are not root: then bubblewrap runs as who we are. */
  readonly uid: number | null;
  readonly command: readonly string[];
};

/** bubblewrap is started with this environment only: /proc/1/environ inside shows it, whatever --clearenv does. */
export const LAUNCHER_ENVIRONMENT = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

export const LAUNCHER = "/bin/bash";

// Every descriptor above those of bubblewrap (5) is closed: bubblewrap passes on what it inherits, and a pipe of the
// shell that started the server was seen inside. bash, because dash cannot close descriptors above 9.
// A sandboxed process is the first the kernel should kill when memory runs out.
const SCRIPT = `
set -e
echo 1000 >/proc/self/oom_score_adj || true
while [[ $1 != -- ]]; do
  case $1 in
    join) echo 0 >"$2"; shift 2 ;;
    staging) mount -t tmpfs -o size=1m,mode=755 pullwright "$2"; shift 2 ;;
    folder) mkdir "$3"; mount --rbind "$2" "$3"; shift 3 ;;
    file) : >"$3"; mount --bind "$2" "$3"; shift 3 ;;
  esac
done
shift
for path in /proc/self/fd/*; do
  fd=\${path##*/}
  if ((fd > 5)); then exec {fd}>&-; fi
done
exec "$@"
`;

/** Arguments for LAUNCHER. */
export function launcherArguments(plan: LaunchPlan): string[] {
  const steps = [
    ...plan.joins.flatMap((file) => ["join", file]),
    ...(plan.stagingDir === null ? [] : ["staging", plan.stagingDir]),
    ...plan.staged.flatMap((entry) => [entry.isFolder ? "folder" : "file", entry.source, entry.target]),
  ];
  const script = [
    "--noprofile",
    "--norc",
    "-c",
    SCRIPT,
    "sandbox",
    ...steps,
    "--",
    ...dropRoot(plan.uid),
    ...plan.command,
  ];
  if (plan.stagingDir === null) return script;
  // A bash around unshare, so that the caller always starts the same program.
  return ["--noprofile", "--norc", "-c", 'exec unshare --mount -- "$@"', "sandbox", LAUNCHER, ...script];
}

function dropRoot(uid: number | null): string[] {
  if (uid === null) return [];
  return ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs", "--"];
}
