/** The start-up check on machines that lack something: a mount namespace in which a program is another one. Root alone can make it. */
import { execa } from "execa";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { REMEDIES } from "../../src/sandbox/set-up-failure.ts";
import { isRoot } from "./open-session.ts";

const HELPER = join(import.meta.dirname, "open-session.ts");
const SRC = join(import.meta.dirname, "../../src/sandbox");
const CODE = `import { bubblewrapSandbox } from ${JSON.stringify(join(SRC, "bubblewrap.ts"))};
  import { requireIsolation } from ${JSON.stringify(join(SRC, "require-isolation.ts"))};
  import { TOOLS } from ${JSON.stringify(HELPER)};
  const driver = bubblewrapSandbox(TOOLS);
  const refusal = await requireIsolation(driver, () => {}).then(() => null, (error) => error.message);
  console.log(JSON.stringify({ features: await driver.check(), refusal }));`;

const Said = z.object({
  features: z.array(
    z.object({ name: z.string(), kind: z.string(), isPresent: z.boolean(), detail: z.string(), remedy: z.string() }),
  ),
  refusal: z.string().nullable(),
});

/** What the check says where `program` is a script of ours, or cannot be run at all. */
async function checkWhere(program: string, script: string | null) {
  const dir = await mkdtemp(join(tmpdir(), "pullwright-machine-"));
  const fake = join(dir, "program");
  await writeFile(fake, script ?? "");
  await chmod(fake, script === null ? 0o000 : 0o755);
  await chmod(dir, 0o755);
  const mount = 'mount --bind "$1" "$(readlink -f "$(command -v "$2")")" && shift 2 && exec "$@"';
  const argv = [
    "--mount",
    "bash",
    "-c",
    mount,
    "sh",
    fake,
    program,
    process.execPath,
    "--input-type=module",
    "-e",
    CODE,
  ];
  const { stdout } = await execa("unshare", argv, { timeout: 60_000 });
  await rm(dir, { recursive: true });
  return Said.parse(JSON.parse(stdout));
}

const version = (text: string) => `#!/bin/sh\necho "${text}"; [ "$1" = --version ]\n`;

test.runIf(isRoot).each([
  { why: "is not there", script: null, detail: "not installed" },
  { why: "is too old to close user namespaces", script: version("bubblewrap 0.4.1"), detail: "bubblewrap 0.4.1" },
])("where bubblewrap $why, nothing starts and the remedy is named", async ({ script, detail }) => {
  const { features, refusal } = await checkWhere("bwrap", script);
  const found = features.find(({ name }) => name === "bubblewrap");
  expect(found).toEqual({
    name: "bubblewrap",
    kind: "isolation",
    isPresent: false,
    detail,
    remedy: REMEDIES.bubblewrap,
  });
  expect(refusal).toContain("nothing was started");
  expect(refusal).toContain(REMEDIES.bubblewrap);
});

test.runIf(isRoot)("where user namespaces are refused, nothing starts and the remedy is named", async () => {
  const bwrap =
    '#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap 0.8.0" && exit\necho "bwrap: No permissions to create new namespace" >&2; exit 1\n';
  const { features, refusal } = await checkWhere("bwrap", bwrap);
  const namespaces = features.find(({ name }) => name === "namespaces");
  expect(namespaces).toMatchObject({ kind: "isolation", isPresent: false, remedy: REMEDIES.namespaces });
  expect(refusal).toContain("max_user_namespaces");
});

test.runIf(isRoot)("where setpriv is missing, nothing starts and the package is named", async () => {
  const { features, refusal } = await checkWhere("setpriv", null);
  expect(features.find(({ name }) => name === "helper programs")).toMatchObject({ detail: "missing: setpriv" });
  expect(refusal).toContain(REMEDIES.utilLinux);
});

test.runIf(isRoot)("a worker without control groups starts, and is told what is weaker", async () => {
  const code = CODE.replace("() => {}", "(message) => console.error(message)");
  const argv = [
    "--reuid=23456",
    "--regid=23456",
    "--clear-groups",
    "--",
    process.execPath,
    "--input-type=module",
    "-e",
    code,
  ];
  const { stdout, stderr } = await execa("setpriv", argv, { timeout: 60_000 });
  expect(Said.parse(JSON.parse(stdout)).refusal).toBeNull();
  expect(stderr).toContain(REMEDIES.cgroup);
});
