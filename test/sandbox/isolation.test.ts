/** Attacks from inside the sandbox: what a stranger's test suite or a misled model may try. */
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { expect, test } from "vitest";
import { isRoot, LIMITS, MIB, nap, openSession, processesWith } from "./open-session.ts";

test("there is no network, not even to this machine", async () => {
  await using session = await openSession();
  const server = createServer((socket) => socket.end("reached the host")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = address && typeof address === "object" ? address.port : 0;
  const dial = (host: string, to: number) => session.bash(`exec 3<>/dev/tcp/${host}/${to} && cat <&3`);
  const results = [await dial("127.0.0.1", port), await dial("169.254.169.254", 80), await dial("1.1.1.1", 53)];
  server.close();
  expect(results.map(({ exit, stdout }) => ({ exit, stdout }))).toEqual(
    results.map(() => ({ exit: { kind: "exited", code: 1 }, stdout: "" })),
  );
  expect(
    (await session.bash("getent hosts github.com; cat /proc/net/dev | tail -n +3 | cut -d: -f1")).stdout.trim(),
  ).toBe("lo");
  expect((await session.exec({ argv: ["getent", "hosts", "localhost"] })).exit).toEqual({ kind: "exited", code: 0 });
});

test("a server and its client can meet inside one command", async () => {
  await using session = await openSession();
  const code = `const s = require("net").createServer((c) => c.end("hello")).listen(0, "localhost", () =>
    require("net").connect(s.address().port, "localhost").on("data", (d) => { console.log(String(d)); s.close(); }))`;
  expect((await session.exec({ argv: ["node", "-e", code] })).stdout).toBe("hello\n");
});

test("no file of the host is there but /usr and the tools", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "pullwright-data-"));
  await writeFile(join(dataDir, "secret"), "hunter2");
  await using session = await openSession();
  const { stdout } = await session.bash(
    "ls /; ls -A /root /home /home/agent /tmp /var /run /srv /mnt /sys 2>/dev/null; true",
  );
  expect(stdout.split("\n")).not.toContain("root");
  const attempts = [
    "/etc/shadow",
    "/etc/hostname.real",
    "/root/.bashrc",
    join(dataDir, "secret"),
    process.cwd(),
    "/work",
  ];
  for (const path of attempts) {
    const { exit } = await session.exec({ argv: ["ls", path] });
    expect({ path, exit }).toEqual({ path, exit: { kind: "exited", code: 2 } });
  }
  expect((await session.bash("cat /etc/passwd | wc -l; cat /etc/resolv.conf; hostname")).stdout).toBe("3\nsandbox\n");
  await rm(dataDir, { recursive: true });
});

test("only the workspace and scratch folders can be written", async () => {
  await using session = await openSession();
  for (const path of ["/", "/usr", "/usr/bin", "/etc", "/opt", "/opt/bin", "/sys", "/proc/sys/kernel", "/var"]) {
    const { exit } = await session.bash(`touch ${path}/x || exit 5`);
    expect({ path, exit }).toEqual({ path, exit: { kind: "exited", code: 5 } });
  }
  for (const path of ["/workspace", "/tmp", "/home/agent", "/run", "/dev/shm", "/var/tmp"]) {
    const { exit } = await session.bash(`touch ${path}/x`);
    expect({ path, exit }).toEqual({ path, exit: { kind: "exited", code: 0 } });
  }
  expect((await session.bash("ls -A /tmp /home/agent /run | grep x")).stdout).toBe(""); // New for each command.
});

test("processes, arguments and environments of the host are out of sight", async () => {
  process.env.PULLWRIGHT_TEST_SECRET = "hunter2";
  await using session = await openSession();
  const { stdout } = await session.bash(
    "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n'; ls -d /proc/[0-9]* | wc -l; ls /proc/self/fd",
  );
  expect(stdout).not.toContain("hunter2");
  expect(stdout).not.toContain(session.workspaceDir);
  const pids = (await session.bash("echo /proc/[0-9]*")).stdout.trim().split(" ");
  expect(pids).toEqual(["/proc/1", "/proc/2"]);
  expect((await session.bash("kill -0 " + process.pid)).exit).not.toEqual({ kind: "exited", code: 0 });
  expect((await session.exec({ argv: ["ls", "/proc/self/fd"] })).stdout).toBe("0\n1\n2\n3\n"); // 3 is ls's own.
});

test("kernel settings cannot be written, and no capability is left", async () => {
  await using session = await openSession();
  for (const file of ["kernel/core_pattern", "kernel/hostname", "vm/overcommit_memory", "fs/binfmt_misc/register"]) {
    const { exit } = await session.bash(`echo x 2>/dev/null > /proc/sys/${file} || exit 5`);
    expect({ file, exit }).toEqual({ file, exit: { kind: "exited", code: 5 } });
  }
  const { stdout } = await session.bash("grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; id -u; ulimit -c");
  expect(stdout.replaceAll(/[ \t]+/g, " ")).toBe(
    ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}: ${"0".repeat(16)}\n`).join("") +
      "NoNewPrivs: 1\nSeccomp: 2\n1000\n0\n",
  );
});

test("no new namespace, mount or user can be had", async () => {
  await using session = await openSession();
  for (const argv of [
    ["unshare", "--user", "true"],
    ["unshare", "--mount", "true"],
    ["bwrap", "--ro-bind", "/", "/", "true"],
    ["mount", "-t", "tmpfs", "tmpfs", "/workspace"],
    ["su", "-c", "true"],
    ["chroot", "/", "true"],
  ]) {
    const { exit } = await session.exec({ argv });
    expect({ argv, exit }).not.toEqual({ argv, exit: { kind: "exited", code: 0 } });
  }
});

test("daemons, fork bombs and stopped processes do not outlive their command", async () => {
  await using session = await openSession();
  const daemon = `(setsid bash -c 'trap "" TERM HUP INT; (setsid sleep ${nap(1234)} &) ; exec sleep ${nap(1234)}' &)`;
  expect((await session.bash(`${daemon}; sleep 0.1; echo started`)).stdout).toBe("started\n");
  expect(await processesWith(nap(1234))).toEqual([]);

  const bomb = await session.bash(`b() { b | b & }; b; sleep ${nap(2345)}`, { timeoutMs: 1500 });
  expect(bomb.exit).not.toEqual({ kind: "exited", code: 0 });
  expect(await processesWith(nap(2345))).toEqual([]);
  expect((await session.bash("kill -STOP $$", { timeoutMs: 500 })).exit).toEqual({ kind: "timed-out", timeoutMs: 500 });
  expect((await session.bash("echo well")).stdout).toBe("well\n");
});

test("processes are counted per command", async () => {
  await using session = await openSession({ limits: { ...LIMITS, processesMax: 40 } });
  const { stdout, stderr } = await session.bash("for i in {1..100}; do sleep 5 & done; jobs -r | wc -l", {
    timeoutMs: 20_000,
  });
  expect(stderr).toContain("Resource temporarily unavailable");
  expect(Number(stdout || 0)).toBeLessThan(41);
});

test("worker threads of Node start within the limits", async () => {
  await using session = await openSession();
  const code = `const { Worker } = require("worker_threads");
    for (let i = 0; i < 4; i++) new Worker("setTimeout(() => {}, 100)", { eval: true }).on("exit", (code) => console.log(code));`;
  expect((await session.exec({ argv: ["node", "-e", code] })).stdout).toBe("0\n0\n0\n0\n");
});

test("a memory hog is stopped, alone or as a herd", async () => {
  await using session = await openSession({ limits: { ...LIMITS, memoryBytes: 128 * MIB } });
  const hog = await session.exec({ argv: ["perl", "-e", "my @a; push @a, 'x' x 1048576 for 1..2000; sleep 60"] });
  expect(["memory-limit", "exited"]).toContain(kindOf(hog.exit));
  expect(hog.exit).not.toEqual({ kind: "exited", code: 0 });
  const one = "perl -e 'my $a = q(x) x (40 * 1048576); sleep 60'";
  const herd = await session.bash(`${Array.from({ length: 8 }, () => `${one} &`).join(" ")} wait -n; exit 1`);
  expect(herd.exit).toEqual({ kind: "memory-limit", memoryBytes: 128 * MIB });
  expect((await session.bash("echo well")).stdout).toBe("well\n");
});

function kindOf(exit: unknown): unknown {
  return exit && typeof exit === "object" && "kind" in exit ? exit.kind : null;
}

test("files and scratch folders have their sizes", async () => {
  await using session = await openSession({ limits: { ...LIMITS, fileBytesMax: MIB, scratchBytes: 2 * MIB } });
  expect((await session.bash("head -c 5000000 /dev/zero > big")).exit).not.toEqual({ kind: "exited", code: 0 });
  expect((await lstat(join(session.workspaceDir, "big"))).size).toBe(MIB);
  const fill = "for i in 1 2 3 4; do head -c 1000000 /dev/zero > $D/$i || exit 9; done";
  for (const folder of ["/tmp", "/home/agent"]) {
    expect((await session.bash(`D=${folder}; ${fill}`)).exit).toEqual({ kind: "exited", code: 9 });
  }
});

test("a link out of the workspace leads to the sandbox's own files", async () => {
  await using session = await openSession();
  const outside = join(session.workspaceDir, "..", `outside-${process.pid}`);
  await writeFile(outside, "hunter2");
  await symlink(outside, join(session.workspaceDir, "link"));
  await symlink("/etc/passwd", join(session.workspaceDir, "passwd"));
  await symlink("/etc", join(session.workspaceDir, "folder"));
  expect((await session.exec({ argv: ["cat", "link"] })).exit).toEqual({ kind: "exited", code: 1 });
  expect((await session.exec({ argv: ["cat", "passwd"] })).stdout).toContain("agent:x:1000");
  expect((await session.exec({ argv: ["cat", "hostname"], cwd: "folder" })).stdout).toBe("sandbox\n");
  expect((await session.exec({ argv: ["cat", "passwd"], cwd: "../../../etc" })).stdout).toContain("agent:x:1000");
  expect((await session.exec({ cwd: "\0--bind\0/\0/mnt" })).exit).toEqual({ kind: "exited", code: 126 });
  await rm(outside);
});

test("read-only paths and read-only workspaces are so", async () => {
  await using session = await openSession();
  await mkdir(join(session.workspaceDir, ".git/hooks"), { recursive: true });
  await using guarded = await openSession({ workspaceDir: session.workspaceDir, readOnlyPaths: [".git", "missing"] });
  for (const script of [
    "touch .git/hooks/pre-commit",
    "rm -rf .git/hooks",
    "mv .git other",
    "chmod 777 .git",
    "ln -sfn /tmp .git/hooks",
  ]) {
    expect({ script, ...(await guarded.bash(script)) }.exit).toEqual({ kind: "exited", code: 1 });
  }
  expect((await guarded.bash("touch free && ls -A .git")).stdout).toBe("hooks\n");
  await using reader = await openSession({ workspaceDir: session.workspaceDir, isReadOnly: true });
  expect((await reader.bash("touch x || cat free")).exit).toEqual({ kind: "exited", code: 0 });
  expect((await readdir(session.workspaceDir)).sort()).toEqual([".git", "free"]);
});

test("a read-only path replaced by a link to the host stops the run", async () => {
  const workspaceDir = await mkdtemp(join(tmpdir(), "pullwright-test-"));
  await mkdir(join(workspaceDir, "a/b"), { recursive: true });
  await using session = await openSession({ workspaceDir, readOnlyPaths: ["a/b"] });
  await session.bash("mv a moved && mkdir a && ln -s /root a/b");
  await expect(session.bash("ls a/b")).rejects.toThrow("/workspace/a/b");
});

test("no setuid file is left behind, and the workspace is its owner's again", async () => {
  const session = await openSession();
  await session.bash("cp /usr/bin/id id; chmod 6755 id; mkdir -p a/b && ln -s /etc/passwd link");
  await session.session[Symbol.asyncDispose]();
  const paths = ["", "id", "a/b", "link"].map((path) => join(session.workspaceDir, path));
  const stats = await Promise.all(paths.map((path) => lstat(path)));
  expect(stats.map(({ uid, gid }) => [uid, gid])).toEqual(paths.map(() => [process.getuid?.(), process.getgid?.()]));
  expect((stats[1]?.mode ?? 0) & 0o6000).toBe(0);
  expect((await lstat("/etc/passwd")).uid).toBe(0);
  await session[Symbol.asyncDispose]();
});

test("a workspace below a folder closed to others works", async () => {
  const parent = await mkdtemp(join(tmpdir(), "pullwright-closed-")); // Mode 0700.
  await using session = await openSession({ parentDir: parent, readOnlyPaths: [".git"] });
  await mkdir(join(session.workspaceDir, ".git"));
  await using again = await openSession({ workspaceDir: session.workspaceDir, readOnlyPaths: [".git"] });
  expect((await again.bash("echo kept > file; touch .git/x || cat file; ls /mnt")).stdout).toBe("kept\n");
  expect(await readFile(join(session.workspaceDir, "file"), "utf8")).toBe("kept\n");
  expect(await readdir("/mnt")).not.toContain("0");
  await rm(parent, { recursive: true });
});

test.runIf(isRoot)("as root, commands have an unprivileged uid of the host", async () => {
  await using one = await openSession();
  await using two = await openSession();
  const uids = await Promise.all(
    [one, two].map(async (session) => {
      await session.bash("touch file");
      return (await lstat(join(session.workspaceDir, "file"))).uid;
    }),
  );
  expect(uids[0]).not.toBe(uids[1]);
  for (const uid of uids) expect(uid).toBeGreaterThan(65_535);
});
