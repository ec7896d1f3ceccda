/** The sandbox's own /etc: names for its one user, an identity for git, nothing of the host's accounts or network. */
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const FILES = {
  passwd:
    "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/home/agent:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  group: "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n",
  hosts: "127.0.0.1 localhost sandbox\n::1 localhost\n",
  hostname: "sandbox\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
  // Empty, not missing: some resolvers then ask 127.0.0.1, but none hangs on a name server it cannot reach.
  "resolv.conf": "",
  // The files belong to another uid than the one git sees when the workspace is a person's own checkout.
  gitconfig:
    "[safe]\n\tdirectory = *\n[user]\n\tname = agent\n\temail = agent@sandbox.invalid\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
};

/** Of the host's /etc: no secrets, and programs fail without them (linker cache, `java` links, CA certificates). */
const HOST_PATHS = [
  ...["alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl/certs", "ssl/openssl.cnf", "localtime"],
  ...["mime.types", "protocols", "services"],
];

/** Makes and fills the folder, and returns the host paths to bind over it. The reader is an unprivileged uid. */
export function writeEtcFolder(folder: string): readonly string[] {
  mkdirSync(folder, { mode: 0o755 });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text, { mode: 0o644 });
  const present = HOST_PATHS.filter((path) => existsSync(join("/etc", path)));
  for (const path of present) placeMountPoint(join(folder, path), statSync(join("/etc", path)).isDirectory());
  return present;
}

/** bubblewrap cannot make it later: the folder is bound read-only. */
function placeMountPoint(path: string, isFolder: boolean): void {
  mkdirSync(isFolder ? path : dirname(path), { recursive: true, mode: 0o755 });
  if (!isFolder) writeFileSync(path, "", { mode: 0o644 });
}
