/** What every sandbox driver promises to those who run commands, isolation apart. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { bubblewrapSandbox } from "../../src/sandbox/bubblewrap.ts";
import { containerSandbox } from "../../src/sandbox/container.ts";
import { hostSandbox } from "../../src/sandbox/host.ts";
import { openTestEngine } from "../sandbox/container-engine.ts";
import { nap, openSession, processesWith, TOOLS } from "../sandbox/open-session.ts";

const engine = await openTestEngine();
if (typeof engine === "string") test.skip(`the container driver is not held to its contract: ${engine}`, () => {});
afterAll(() => (typeof engine === "string" ? undefined : engine[Symbol.asyncDispose]()));

const drivers = [
  bubblewrapSandbox(TOOLS),
  hostSandbox(TOOLS),
  ...(typeof engine === "string" ? [] : [containerSandbox(TOOLS, engine.settings)]),
];

describe.each(drivers.map((driver) => ({ name: driver.driver, driver })))("the $name driver", ({ driver }) => {
  test("gives exit code, stdout and stderr apart", async () => {
    await using session = await openSession({ driver });
    expect(await session.bash("echo out; echo err >&2; exit 7")).toEqual({
      exit: { kind: "exited", code: 7 },
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("a program that does not exist exits with 127 and says so", async () => {
    await using session = await openSession({ driver });
    const result = await session.exec({ argv: ["no-such-program"] });
    expect(result.exit).toEqual({ kind: "exited", code: 127 });
    expect(result.stderr).toContain("no-such-program");
  });

  test("a folder that does not exist exits with 126 and says so", async () => {
    await using session = await openSession({ driver });
    const result = await session.exec({ cwd: "no/such/folder" });
    expect(result.exit).toEqual({ kind: "exited", code: 126 });
    expect(result.stderr).toContain("no/such/folder");
  });

  test.each([
    { why: "holds a NUL byte", argv: ["echo", "a\0b"] },
    { why: "is longer than the kernel takes", argv: ["echo", "x".repeat(200_000)] },
    { why: "is empty", argv: [""] },
  ])("an argument that $why is the command's fault", async ({ argv }) => {
    await using session = await openSession({ driver });
    const { exit, stderr } = await session.exec({ argv });
    expect([126, 127]).toContain(exit && typeof exit === "object" && "code" in exit ? exit.code : null);
    expect(stderr).not.toBe("");
    expect((await session.bash("echo still here")).stdout).toBe("still here\n");
  });

  test("gives its input, which may be opened by name", async () => {
    await using session = await openSession({ driver });
    const bytes = Buffer.alloc(300_000, "pullwright\n");
    expect((await session.exec({ argv: ["cat"], stdin: bytes })).stdout).toBe(bytes.toString());
    expect((await session.bash("cat /dev/stdin", { stdin: "by name" })).stdout).toBe("by name");
    expect((await session.bash("cat", { stdin: "" })).stdout).toBe("");
    expect((await session.bash("echo said > /dev/stderr; echo out > /dev/stdout")).stderr).toBe("said\n");
  });

  test("a command may leave its input unread", async () => {
    await using session = await openSession({ driver });
    expect((await session.exec({ stdin: "x".repeat(1_000_000) })).exit).toEqual({ kind: "exited", code: 0 });
  });

  test("runs in the folder it is told, and changes stay in the workspace", async () => {
    await using session = await openSession({ driver });
    await session.bash("mkdir -p a/b && echo kept > a/b/file");
    expect((await session.exec({ argv: ["cat", "file"], cwd: "a/b" })).stdout).toBe("kept\n");
    expect(await readFile(join(session.workspaceDir, "a/b/file"), "utf8")).toBe("kept\n");
    await writeFile(join(session.workspaceDir, "from-host"), "seen");
    expect((await session.exec({ argv: ["cat", "from-host"] })).stdout).toBe("seen");
  });

  test("a time-out kills the whole tree and keeps what was said", async () => {
    await using session = await openSession({ driver });
    const script = `trap '' TERM INT HUP; echo before; sleep ${nap(7651)} & sleep ${nap(7651)}`;
    expect(await session.bash(script, { timeoutMs: 700 })).toEqual({
      exit: { kind: "timed-out", timeoutMs: 700 },
      stdout: "before\n",
      stderr: "",
    });
    expect(await processesWith(nap(7651))).toEqual([]);
  });

  test("a background process does not keep the command from ending", async () => {
    await using session = await openSession({ driver });
    const result = await session.bash(`sleep ${nap(7652)} & echo done`, { timeoutMs: 20_000 });
    expect(result).toEqual({ exit: { kind: "exited", code: 0 }, stdout: "done\n", stderr: "" });
    expect(await processesWith(nap(7652))).toEqual([]);
  });

  test("output is whole up to the cap, and past it the command is killed", async () => {
    await using session = await openSession({ driver });
    const flood = await session.bash("yes | tr -d '\\n'", { outputBytesMax: 200_000 });
    expect(flood).toEqual({
      exit: { kind: "output-limit", outputBytesMax: 200_000 },
      stdout: "y".repeat(200_000),
      stderr: "",
    });
    const exact = await session.bash("head -c 100000 /dev/zero; head -c 100000 /dev/zero >&2", {
      outputBytesMax: 200_000,
    });
    expect(exact.exit).toEqual({ kind: "exited", code: 0 });
    expect([exact.stdout.length, exact.stderr.length]).toEqual([100_000, 100_000]);
  });

  test("an abort throws its reason when all processes are gone, and the next command runs", async () => {
    await using session = await openSession({ driver });
    const stop = new AbortController();
    const reason = new Error("asked to stop");
    setTimeout(() => stop.abort(reason), 300);
    await expect(session.exec({ argv: ["sleep", nap(7653)] }, stop.signal)).rejects.toBe(reason);
    expect(await processesWith(nap(7653))).toEqual([]);
    expect((await session.exec({})).exit).toEqual({ kind: "exited", code: 0 });
    await expect(session.exec({}, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test("closing a session ends its command", async () => {
    const session = await openSession({ driver });
    const running = session.exec({ argv: ["sleep", nap(7654)] });
    const ended = expect(running).rejects.toThrow("closed");
    await session[Symbol.asyncDispose]();
    await ended;
    expect(await processesWith(nap(7654))).toEqual([]);
    await expect(session.exec({})).rejects.toThrow("closed");
  });

  test("the environment holds nothing of ours", async () => {
    process.env.PULLWRIGHT_TEST_SECRET = "hunter2";
    await using session = await openSession({ driver });
    const { stdout } = await session.exec({ argv: ["env"] });
    expect(stdout).not.toContain("hunter2");
    const names = stdout
      .trim()
      .split("\n")
      .map((line) => line.split("=")[0]);
    const expected = [
      "CI",
      "GIT_PAGER",
      "HOME",
      "LANG",
      "LC_ALL",
      "LOGNAME",
      "NO_COLOR",
      "PAGER",
      "PATH",
      "PWD",
      "SHELL",
    ];
    expect(names.filter((name) => name !== "PWD").sort()).toEqual(
      [...expected.filter((name) => name !== "PWD"), "TERM", "TMPDIR", "USER"].sort(),
    );
  });

  test("our executables and git are there", async () => {
    await using session = await openSession({ driver });
    expect((await session.exec({ argv: ["rg", "--version"] })).stdout).toContain("ripgrep");
    expect((await session.exec({ argv: ["node", "--version"] })).stdout.trim()).toBe(process.version);
    const git = await session.bash("git init -q . && git status --short --branch");
    expect(git.exit).toEqual({ kind: "exited", code: 0 });
  });

  test("a process killed by a signal ends as shells tell it", async () => {
    await using session = await openSession({ driver });
    expect((await session.bash("bash -c 'kill -SEGV $$'; exit $?")).exit).toEqual({ kind: "exited", code: 139 });
  });

  test("sessions run side by side, the commands of one session in turn", async () => {
    await using one = await openSession({ driver });
    await using two = await openSession({ driver });
    const says = await Promise.all([
      ...[1, 2, 3].map((n) => one.bash(`echo ${n} >> log; sleep 0.05; cat log`)),
      ...[4, 5, 6].map((n) => two.bash(`echo ${n} >> log; sleep 0.05; cat log`)),
    ]);
    expect(says.map((said) => said.stdout)).toEqual(["1\n", "1\n2\n", "1\n2\n3\n", "4\n", "4\n5\n", "4\n5\n6\n"]);
  });
});
