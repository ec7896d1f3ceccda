/** Workers killed at any moment: what they leave, the next one removes. Real workers, real SIGKILL. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { isRoot, nap } from "./open-session.ts";

const KILLS = 10;
/** Seeded, so that a failure can be seen again: from the first session's opening to the middle of the third command. */
const MOMENTS_MS = Array.from({ length: KILLS }, (_, index) => (index * 37 + 3) % 190);

const ORDINARY = ["setpriv", "--reuid=23456", "--regid=23456", "--clear-groups", "--"];
const HELPER = join(import.meta.dirname, "open-session.ts");

/** Three sessions that run commands without end; a command leaves daemons, and takes process 1 over to shed its parent's death. */
const worker = (parentDir: string, sleep: string) => `
  import { openSession } from ${JSON.stringify(HELPER)};
  const attack = \`(setsid sleep ${sleep} &)
    perl -e 'my \$nr = qx(uname -m) =~ /x86_64/ ? 101 : 117; if (syscall(\$nr, 16, 1, 0, 0) == 0) { select(undef, undef, undef, 0.05) }' & sleep 0.1\`;
  process.stdout.write("started");
  await Promise.all([1, 2, 3].map(async () => {
    const session = await openSession({ parentDir: ${JSON.stringify(parentDir)} });
    for (;;) await session.bash(attack);
  }));`;

const NEXT = `import { openSession } from ${JSON.stringify(HELPER)};
  await using session = await openSession();
  console.log(JSON.stringify((await session.exec({})).exit));`;

const users = isRoot
  ? [
      { user: "root", prefix: [] },
      { user: "an ordinary user", prefix: ORDINARY },
    ]
  : [{ user: "an ordinary user", prefix: [] }];

test.each(users)(
  "a worker of $user, killed at ten moments, leaves nothing",
  { timeout: 240_000 },
  async ({ prefix }) => {
    const parentDir = await mkdtemp(join(tmpdir(), "pullwright-crash-"));
    await chmod(parentDir, prefix.length > 0 ? 0o777 : 0o700); // Closed for root: then mounts are staged, too.
    for (const [index, moment] of MOMENTS_MS.entries()) {
      const sleep = nap(4000 + index);
      const killed = start(prefix, worker(parentDir, sleep));
      await once(killed.stdout ?? killed, "data");
      await delay(moment);
      killed.kill("SIGKILL");
      await once(killed, "exit");
      const next = start(prefix, NEXT);
      const said = next.stdout ? await text(next.stdout) : "";
      expect({ moment, said }).toEqual({ moment, said: '{"kind":"exited","code":0}\n' });
      expect({ moment, left: await leftOf(`pullwright-${killed.pid}-`, sleep) }).toEqual({ moment, left: [] });
    }
    await rm(parentDir, { recursive: true });
  },
);

test("a worker killed while it checks its machine leaves no folder behind the next one", async () => {
  const folder = await mkdtemp(join(tmpdir(), "pullwright-crash-"));
  await chmod(folder, 0o711);
  const env = { ...process.env, TMPDIR: folder };
  for (const moment of MOMENTS_MS.slice(0, 5)) {
    const killed = start([], CHECK, env);
    await once(killed.stdout ?? killed, "data");
    await delay(moment);
    killed.kill("SIGKILL");
    await once(killed, "exit");
  }
  const next = start([], NEXT, env);
  expect(next.stdout ? await text(next.stdout) : "").toBe('{"kind":"exited","code":0}\n');
  expect(await readdir(folder)).toEqual([]);
  await rm(folder, { recursive: true });
}, 60_000);

/** Looks at its machine again and again. */
const CHECK = `import { bubblewrapSandbox } from ${JSON.stringify(join(import.meta.dirname, "../../src/sandbox/bubblewrap.ts"))};
  import { TOOLS } from ${JSON.stringify(HELPER)};
  process.stdout.write("started");
  for (;;) await bubblewrapSandbox(TOOLS).check();`;

function start(prefix: readonly string[], code: string, env = process.env): ChildProcess {
  const [program = "", ...argv] = [...prefix, process.execPath, "--input-type=module", "-e", code];
  return spawn(program, argv, { env, stdio: ["ignore", "pipe", "inherit"] });
}

/** Processes, mounts, control groups and folders that carry the worker's name. */
async function leftOf(name: string, sleep: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry) && entry !== String(process.pid));
  const processes = await Promise.all(
    pids.map(async (pid) => {
      const quietly = (reading: Promise<string>) => reading.catch(() => "");
      const marks = await Promise.all([
        quietly(readFile(`/proc/${pid}/mountinfo`, "utf8")),
        ...[0, 1, 2].map((fd) => quietly(readlink(`/proc/${pid}/fd/${fd}`))),
      ]);
      const command = await quietly(readFile(`/proc/${pid}/cmdline`, "utf8"));
      const isLeft = marks.some((mark) => mark.includes(name)) || command.includes(`\0${sleep}`);
      return isLeft ? [`process ${pid}: ${command.replaceAll("\0", " ")}`] : [];
    }),
  );
  const folders = await Promise.all(
    ["/sys/fs/cgroup", tmpdir()].map(async (folder) =>
      (await readdir(folder, { recursive: folder !== tmpdir() })).filter((path) => path.includes(name)),
    ),
  );
  const mounts = (await readFile("/proc/self/mountinfo", "utf8")).split("\n").filter((line) => line.includes(name));
  return [...processes.flat(), ...folders.flat(), ...mounts];
}
