/** For drivers: opens a session's way out, as a folder to bind, an environment to give, and a command to wrap each command in. */
import { copyFile, chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UserError } from "../failure.ts";
import type { Bind, SandboxBinary } from "./bubblewrap-arguments.ts";
import type { EgressPolicy } from "./egress-policy.ts";
import { EgressProxy } from "./egress-proxy.ts";

export type EgressWay = {
  readonly binds: readonly Bind[];
  readonly environment: Readonly<Record<string, string>>;
  /** The command with the relay beside it. */
  readonly wrap: (argv: readonly string[]) => readonly string[];
};

/** A session without a way out. */
export const NO_EGRESS: EgressWay = { binds: [], environment: {}, wrap: (argv) => argv };

/** Where the folder is inside. */
const INSIDE = "/run/egress";
const PORT = 3128;
const PROXY = `http://127.0.0.1:${PORT}`;

// The relay is no child of the command, which may wait for all of its children; it ends with the command's pid namespace.
const SCRIPT = `
exec 3< <( (exec /opt/bin/node ${INSIDE}/relay.mjs ${INSIDE}/proxy.sock ${PORT} </dev/null 2>/dev/null) & )
read -r _ <&3 || { echo "the egress relay did not start" >&2; exit 125; }
exec 3<&-
exec "$@"
`;

/** Everything lies in `folder`, which must not exist yet and must then belong to the sandbox's user. */
export async function openEgress(
  { policy, binaries }: { readonly policy: EgressPolicy; readonly binaries: readonly SandboxBinary[] },
  folder: string,
  undo: AsyncDisposableStack,
): Promise<EgressWay> {
  if (!binaries.some(({ name }) => name === "node")) {
    throw new UserError(
      "The sandbox has no node of ours, which relays to the egress proxy, so nothing may be reached.",
    );
  }
  await mkdir(folder, { mode: 0o700 });
  await copyFile(fileURLToPath(new URL("egress/relay.mjs", import.meta.url)), join(folder, "relay.mjs"));
  await chmod(join(folder, "relay.mjs"), 0o444);
  undo.use(await EgressProxy.open(join(folder, "proxy.sock"), policy));
  return {
    binds: [{ source: folder, target: INSIDE, isWritable: false }],
    environment: ENVIRONMENT,
    wrap: (argv) => ["/bin/bash", "--noprofile", "--norc", "-c", SCRIPT, "egress", ...argv],
  };
}

const HERE = "localhost,127.0.0.1,::1";
const JAVA = ["http", "https"].map((name) => `-D${name}.proxyHost=127.0.0.1 -D${name}.proxyPort=${PORT}`).join(" ");

/** curl reads the small names only, some programs the large ones; Node's fetch, Yarn 2 and Java read names of their own. */
const ENVIRONMENT = {
  ...{ http_proxy: PROXY, https_proxy: PROXY, HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY, no_proxy: HERE, NO_PROXY: HERE },
  ...{ NODE_USE_ENV_PROXY: "1", YARN_HTTP_PROXY: PROXY, YARN_HTTPS_PROXY: PROXY, JAVA_TOOL_OPTIONS: JAVA },
};
