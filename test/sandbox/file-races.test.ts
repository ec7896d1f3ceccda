/** The file tools while hostile code swaps what they are about to open: in another session on the same workspace, at the same time. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openByteFiles } from "../../src/tools/byte-files.ts";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { openSession, TOOLS } from "./open-session.ts";

const signal = new AbortController().signal;
const TRIES = 15;

async function openRace(swap: (secretDir: string) => string) {
  await using stack = new AsyncDisposableStack();
  const secretDir = await mkdtemp(join(tmpdir(), "pullwright-secret-"));
  stack.defer(() => rm(secretDir, { recursive: true, force: true }));
  await writeFile(join(secretDir, "file"), "hunter2", { mode: 0o666 });
  const driver = bubblewrapSandbox(TOOLS); // As root both sessions have the workspace's uid.
  const tools = stack.use(await openSession({ driver }));
  const attacker = stack.use(await openSession({ driver, workspaceDir: tools.workspaceDir }));
  const stop = new AbortController();
  await tools.bash("mkdir folder && echo inside > folder/file && echo inside > file");
  const swapping = attacker
    .exec({ argv: ["perl", "-e", swap(secretDir)], timeoutMs: 50_000 }, stop.signal)
    .catch(() => {});
  stack.defer(async () => {
    stop.abort(new Error("the race is over"));
    await swapping;
  });
  const kept = stack.move();
  const secret = () => readFile(join(secretDir, "file"), "utf8");
  return { files: openByteFiles(tools.session), secret, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const swapFile = (dir: string) =>
  `while (1) { symlink "${dir}/file", "l"; rename "l", "file"; open(F, ">", "f"); print F "inside\\n"; close F; rename "f", "file" }`;
const swapFolder = (dir: string) =>
  `while (1) { rename "folder", "kept"; symlink "${dir}", "folder"; unlink "folder"; rename "kept", "folder" }`;

test.each([
  { what: "a file", swap: swapFile, path: "file" },
  { what: "a folder", swap: swapFolder, path: "folder/file" },
])("$what swapped for a link to the host is never read or written through", async ({ swap, path }) => {
  await using race = await openRace(swap);
  for (let tries = 0; tries < TRIES; tries++) {
    // What vanishes under a tool is an error: in a run no command lives while a tool reads.
    const [read] = await race.files.read([path], signal).catch(() => []);
    expect(read?.kind === "file" ? read.bytes.toString() : "").not.toContain("hunter2");
    const change = { kind: "write", path, bytes: Buffer.from("inside\n"), mode: null } as const;
    await race.files.write([change], signal).catch(() => {});
    expect(await race.secret()).toBe("hunter2");
  }
});

test("pipes, devices and sockets are told apart from files and hold nobody up", async () => {
  await using session = await openSession();
  const make = `mkfifo pipe; ln -s /dev/zero endless; ln -s /proc/self/mem memory; ln -s pipe via; mkdir folder; mkfifo folder/pipe
    perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("sock"))'`;
  await session.bash(make);
  const files = openByteFiles(session.session);
  const read = await files.read(["pipe", "endless", "memory", "via", "folder/pipe", "sock"], signal);
  expect(read.filter(({ kind }) => kind === "file" || kind === "too-large")).toEqual([]);
});
