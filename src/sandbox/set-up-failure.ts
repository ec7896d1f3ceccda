/** What bubblewrap says when this machine does not let it work, and what to do about it. */
import { TransientError, UserError } from "../failure.ts";

export const REMEDIES = {
  bubblewrap: "Install bubblewrap 0.8 or newer: `apt-get install bubblewrap` (or run scripts/setup.sh).",
  utilLinux: "Install util-linux, coreutils and bash: `apt-get install util-linux coreutils bash`.",
  namespaces:
    "Allow unprivileged user namespaces: `sysctl -w user.max_user_namespaces=65536`, and on older Debian " +
    "`sysctl -w kernel.unprivileged_userns_clone=1`. In a container, run as an ordinary user with a seccomp profile that allows " +
    "clone, unshare, mount, umount2 and pivot_root, and with `--security-opt systempaths=unconfined` " +
    "(Kubernetes: `procMount: Unmasked` with `hostUsers: false`).",
  appArmor:
    "AppArmor forbids user namespaces to unconfined programs (Ubuntu 23.10 and newer). Give /usr/bin/bwrap a profile with " +
    "`userns,` or set `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.",
  proc:
    "The sandbox cannot mount a /proc of its own, as in a container with masked paths. " +
    "Start the container with `--security-opt systempaths=unconfined` (Kubernetes: `procMount: Unmasked`).",
  seccomp: "The sandbox needs a kernel with seccomp filters (CONFIG_SECCOMP_FILTER) on x86-64 or arm64.",
  cgroup:
    "Memory is watched by polling instead. For hard limits start the worker as root, or under systemd with `Delegate=yes`.",
  cores: "Crashed commands hand their memory to a program of the host. Set `sysctl -w kernel.core_pattern=core`.",
} as const;

const SIGNS: readonly (readonly [RegExp, string])[] = [
  [
    /bwrap: (command )?not found|failed to execute bwrap|Unknown option --(disable-userns|json-status-fd|size)/,
    REMEDIES.bubblewrap,
  ],
  [/(setpriv|unshare|prlimit|mount): (command )?not found|execvp prlimit|bash: ENOENT/, REMEDIES.utilLinux],
  [/Can't mount proc/, REMEDIES.proc],
  [/PR_SET_SECCOMP/, REMEDIES.seccomp],
  [
    /max_user_namespaces|[Nn]o permissions to creat|Creating new namespace failed|setting up [ug]id map|unshare failed/,
    REMEDIES.namespaces,
  ],
];

/** For a command that never started. UserError when the machine must be changed first, else TransientError. */
export function setUpFailure(said: string): UserError | TransientError {
  const remedy = SIGNS.find(([sign]) => sign.test(said))?.[1];
  const facts = said.trim().slice(0, 2000) || "it ended without a word";
  if (remedy === undefined) return new TransientError(`The sandbox could not be set up: ${facts}`);
  return new UserError(`The sandbox could not be set up (${facts}). ${remedy}`);
}
