/**
 * `node bench/sandbox.ts [ROUNDS]`: what the sandbox costs. Start to exit of `true` through each driver's session against bare
 * bubblewrap with the same arguments, in turns within one run; 500 commands, 8 at once; memory of one idle sandbox; 100 files read and
 * written through a session. The target is a median within 3 ms of bare bubblewrap. docs/security.md has figures of one machine.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { rgPath } from "@vscode/ripgrep";
import { bubblewrapArguments, FD, sandboxPath } from "../src/sandbox/bubblewrap-arguments.ts";
import { bubblewrapSandbox } from "../src/sandbox/bubblewrap.ts";
import { containerSandbox } from "../src/sandbox/container.ts";
import { writeEtcFolder } from "../src/sandbox/etc-folder.ts";
import { bindTools, readTopLevel } from "../src/sandbox/host-paths.ts";
import { hostSandbox } from "../src/sandbox/host.ts";
import { LAUNCHER_ENVIRONMENT } from "../src/sandbox/launcher.ts";
import { SANDBOX_LIMITS } from "../src/sandbox/limits.ts";
import { limitedCommand } from "../src/sandbox/resource-limits.ts";
import type { Sandbox, SandboxSession } from "../src/sandbox/sandbox.ts";
import { seccompFilter } from "../src/sandbox/seccomp.ts";
import { openByteFiles } from "../src/tools/byte-files.ts";
import { openTestEngine } from "../test/sandbox/container-engine.ts";

const ROUNDS = Number(process.argv[2] ?? 100);
const COMMANDS = 500;
const AT_ONCE = 8;
const FILES = 100;
const FILE_BYTES = 4096;
const UID = 1_900_000_000;
const TOOLS = {
  tools: [],
  binaries: [
    { name: "rg", path: rgPath },
    { name: "node", path: process.execPath },
  ],
};
const isRoot = process.getuid?.() === 0;
const forever = new AbortController().signal;

await using stack = new AsyncDisposableStack();
const dir = await mkdtemp(join(tmpdir(), "pullwright-bench-"));
stack.defer(() => rm(dir, { recursive: true, force: true }));
await chmod(dir, 0o755);
const bare = await openBare();
const engine = await openTestEngine();
if (typeof engine === "string") console.log(`without the container driver: ${engine}`);
else stack.use(engine);
const drivers = [
  bubblewrapSandbox(TOOLS),
  hostSandbox(TOOLS),
  ...(typeof engine === "string" ? [] : [containerSandbox(TOOLS, engine.settings)]),
];
const sessions = await Promise.all(drivers.map((driver) => open(driver)));
const runs = [
  { name: "bare bubblewrap, same arguments", run: bare },
  ...sessions.map((session, index) => ({ name: drivers[index]?.driver ?? "", run: () => exec(session, ["true"]) })),
];

console.log(`as ${isRoot ? "root" : "an ordinary user"}, ${ROUNDS} rounds\n\nstart to exit of \`true\``);
const times = runs.map(() => [] as number[]);
for (let round = -5; round < ROUNDS; round++) {
  for (const [index, { run }] of runs.entries()) {
    const startedAt = performance.now();
    await run();
    if (round >= 0) times[index]?.push(performance.now() - startedAt); // The first five warm the caches.
  }
}
for (const [index, { name }] of runs.entries()) console.log(row(name, times[index] ?? []));

console.log(`\n${COMMANDS} commands, ${AT_ONCE} at once`);
console.log(
  `${"bare bubblewrap".padEnd(34)} ${(await many(Array.from({ length: AT_ONCE }, () => bare))).toFixed(0)} ms`,
);
for (const driver of drivers) {
  const eight = await Promise.all(Array.from({ length: AT_ONCE }, () => open(driver)));
  const tookMs = await many(eight.map((session) => () => exec(session, ["true"])));
  console.log(`${driver.driver.padEnd(34)} ${tookMs.toFixed(0)} ms`);
}

for (const [index, session] of sessions.entries()) {
  console.log(`\n${drivers[index]?.driver}: ${FILES} files of ${FILE_BYTES} bytes`);
  const files = openByteFiles(session);
  const names = Array.from({ length: FILES }, (_, file) => `file-${file}`);
  const bytes = Buffer.alloc(FILE_BYTES, "x");
  const [writes, reads] = [[] as number[], [] as number[]];
  for (let round = 0; round < 10; round++) {
    const changes = names.map((path) => ({ kind: "write", path, bytes, mode: null }) as const);
    writes.push(await timed(() => files.write(changes, forever)));
    reads.push(await timed(() => files.read(names, forever)));
  }
  console.log(`${row("write", writes)}\n${row("read", reads)}`);
}

console.log(
  `\nmemory of a sandbox that sleeps: ${await idleMemory()} KiB (PSS of launcher, bubblewrap's two processes and sleep)`,
);

async function open(driver: Sandbox): Promise<SandboxSession> {
  const workspaceDir = await mkdtemp(join(dir, "workspace-"));
  const opening = { workspaceDir, readOnlyPaths: [], isReadOnly: false, limits: SANDBOX_LIMITS };
  return stack.use(await driver.open(opening));
}

async function exec(session: SandboxSession, argv: readonly string[]): Promise<void> {
  const limits = { timeoutMs: 60_000, outputBytesMax: 1_000_000 };
  const { exit } = await session.exec({ argv, cwd: "", stdin: "", ...limits }, forever);
  if (exit.kind !== "exited" || exit.code !== 0) throw new Error(JSON.stringify(exit));
}

/** The same world and uid, started by nothing but Node's spawn: no launcher, no control group, no pipes by name, no sweep. */
async function openBare(): Promise<() => Promise<void>> {
  const [etc, workspace] = [join(dir, "etc"), await mkdtemp(join(dir, "bare-"))];
  const etcPaths = writeEtcFolder(etc);
  if (isRoot) await chown(workspace, UID, UID);
  const binds = [
    { source: etc, target: "/etc", isWritable: false },
    ...(await bindTools(TOOLS)),
    { source: workspace, target: "/workspace", isWritable: true },
  ];
  const { scratchBytes } = SANDBOX_LIMITS;
  const world = bubblewrapArguments({
    binds,
    topLevel: await readTopLevel(),
    etcPaths,
    path: sandboxPath([]),
    scratchBytes,
  });
  const words = [...world, "--chdir", "/workspace"].map((word) => `${word}\0`).join("");
  const filter = seccompFilter(process.arch, { countsMemory: isRoot }) ?? Buffer.alloc(0);
  const drop = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups", "--no-new-privs", "--"];
  const command = ["bwrap", "--args", String(FD.arguments), "--", ...limitedCommand(["true"], SANDBOX_LIMITS, isRoot)];
  const [program = "", ...argv] = [...(isRoot ? drop : []), ...command];
  return async () => {
    const stdio = ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"] as const;
    const child = spawn(program, argv, { stdio: [...stdio], cwd: "/", env: LAUNCHER_ENVIRONMENT });
    const pipes: readonly unknown[] = child.stdio;
    for (const [fd, bytes] of [
      [FD.seccomp, filter],
      [FD.arguments, words],
    ] as const) {
      const pipe = pipes[fd];
      if (pipe instanceof Writable) pipe.end(bytes);
    }
    const [code] = await once(child, "exit");
    if (code !== 0) throw new Error(`bare bubblewrap ended with ${String(code)}`);
  };
}

async function many(lanes: readonly (() => Promise<void>)[]): Promise<number> {
  let left = COMMANDS;
  return timed(() =>
    Promise.all(
      lanes.map(async (run) => {
        while (left-- > 0) await run();
      }),
    ),
  );
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function idleMemory(): Promise<number> {
  const before = new Set(await descendants(process.pid)); // Other sessions' launchers.
  const session = await open(bubblewrapSandbox(TOOLS));
  const stop = new AbortController();
  const limits = { timeoutMs: 60_000, outputBytesMax: 1000 };
  const sleeping = session.exec({ argv: ["sleep", "59"], cwd: "", stdin: "", ...limits }, stop.signal).catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 1000)); // Long enough for its start on any machine.
  const pss = await Promise.all((await descendants(process.pid)).filter((pid) => !before.has(pid)).map(readPss));
  stop.abort(new Error("measured"));
  await sleeping;
  return pss.reduce((all, kibibytes) => all + kibibytes, 0);
}

async function descendants(pid: number): Promise<number[]> {
  const found: number[] = [];
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const children = (await readFile(`/proc/${pid}/task/${task}/children`, "utf8"))
      .split(" ")
      .filter(Boolean)
      .map(Number);
    for (const child of children) found.push(child, ...(await descendants(child)));
  }
  return found;
}

async function readPss(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
}

function row(name: string, all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b);
  const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(1).padStart(7);
  return `${name.padEnd(34)} min ${at(0)}  median ${at(0.5)}  p95 ${at(0.95)} ms`;
}
