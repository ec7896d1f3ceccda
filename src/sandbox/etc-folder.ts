/** The sandbox's own /etc: names for its one user, an identity for git, nothing of the host's accounts or network. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type SandboxUser = { readonly uid: number; readonly gid: number };

/** What bubblewrap numbers it. */
const INNER: SandboxUser = { uid: 1000, gid: 1000 };

/** By name; `user` is as it is numbered inside. */
export function etcFiles({ uid, gid }: SandboxUser): Readonly<Record<string, string>> {
  const root = uid === 0 ? "" : "root:x:0:0:root:/root:/bin/sh\n";
  return {
    passwd: `${root}agent:x:${uid}:${gid}:agent:/home/agent:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n`,
    group: `${gid === 0 ? "" : "root:x:0:\n"}agent:x:${gid}:\nnogroup:x:65534:\n`,
    hosts: "127.0.0.1 localhost sandbox\n::1 localhost\n",
    hostname: "sandbox\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    // Empty, not missing: some resolvers then ask 127.0.0.1, but none hangs on a name server it cannot reach.
    "resolv.conf": "",
    // The files belong to another uid than the one git sees when the workspace is a person's own checkout.
    gitconfig:
      "[safe]\n\tdirectory = *\n[user]\n\tname = agent\n\temail = agent@sandbox.invalid\n[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
  };
}

/** The rules that choose a font for a name; those of the host's /etc/fonts are too many to copy for each session. */
const FONT_RULES = ["30-metric-aliases", "45-latin", "49-sansserif", "60-latin", "65-nonlatin"];
/** Without it programs that draw take the first font they find: a page's code, for one, is not monospaced then. */
const FONTS_CONF = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>/usr/local/share/fonts</dir>
  <dir prefix="xdg">fonts</dir>
${FONT_RULES.map((name) => `  <include ignore_missing="yes">/usr/share/fontconfig/conf.avail/${name}.conf</include>`).join("\n")}
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** Of the host's /etc: no secrets, and programs fail without them (linker, time zone, port names). */
const COPIED = ["ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "protocols", "services"];
/** The links behind `java` and `editor`, and CA certificates: shown as they are, too many to copy for each session. */
const BOUND = ["alternatives", "ssl/certs"];

/**
 * Makes and fills the folder, and returns the host paths to bind over it: few, for each mount costs every command a
 * quarter of a millisecond. The reader is an unprivileged uid.
 */
export function writeEtcFolder(folder: string): readonly string[] {
  mkdirSync(folder, { mode: 0o755 });
  mkdirSync(join(folder, "fonts"), { mode: 0o755 });
  writeFileSync(join(folder, "fonts/fonts.conf"), FONTS_CONF, { mode: 0o644 });
  for (const [name, text] of Object.entries(etcFiles(INNER))) writeFileSync(join(folder, name), text, { mode: 0o644 });
  for (const path of COPIED.filter(isOnHost)) {
    cpSync(join("/etc", path), join(folder, path), { recursive: true, dereference: true });
  }
  const present = BOUND.filter(isOnHost);
  // bubblewrap cannot make mount points: the folder is bound read-only.
  for (const path of present) mkdirSync(join(folder, path), { recursive: true, mode: 0o755 });
  return present;
}

function isOnHost(path: string): boolean {
  return existsSync(join("/etc", path));
}
