import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { readShellPatch } from "../../src/tools/shell-patch.ts";
import { DRIVERS, openWorkbench } from "./workbench.ts";

describe.each(DRIVERS)("the shell tool, in the %s sandbox", (driver) => {
  test("a command tells its exit status and both streams in order, and nothing that changes when it runs again", async () => {
    await using bench = await openWorkbench({ driver });
    expect(await bench.call("shell", { command: "echo a; echo b >&2; echo c; exit 3" })).toBe(
      "ok: Exit status 3\na\nb\nc\n",
    );
    expect(await bench.call("shell", { command: "true" })).toBe("ok: Exit status 0\n(no output)");
    expect(await bench.call("shell", { command: "[[ -n x ]] && echo bash" })).toContain("bash");
  });

  test("a command is evidence", async () => {
    await using bench = await openWorkbench({ driver });
    const run = await bench.command({ command: "seq 1000; exit 1" });
    expect(run).toMatchObject({ command: "seq 1000; exit 1", exitCode: 1 });
    expect(run?.outputTail).toMatch(/^\d+\n[\s\S]*\n1000$/);
    expect(run?.outputTail.length).toBeLessThanOrEqual(2000);
  });

  test("a command past its time is stopped and says so", async () => {
    await using bench = await openWorkbench({ driver });
    const input = { command: "echo started; sleep 60", timeout_seconds: 0.5 };
    expect(await bench.call("shell", input)).toMatch(/^ok: Stopped at its time limit of 0.5 s.*\nstarted\n$/);
    expect(await bench.command(input)).toMatchObject({ exitCode: null, outputTail: "started" });
  });

  test("programs are told that nobody watches", async () => {
    await using bench = await openWorkbench({ driver });
    const command = 'echo "$NO_COLOR $TERM $PAGER $GIT_PAGER $CI"; test -t 1 || echo "no terminal"';
    expect(await bench.call("shell", { command })).toContain("\n1 dumb cat cat 1\nno terminal\n");
  });

  test("long output loses its middle, and says how much", async () => {
    await using bench = await openWorkbench({ driver, limits: { outputBytesMax: 2000 } });
    const said = await bench.call("shell", { command: "seq 10000" });
    expect(said).toMatch(/\n1\n2\n[\s\S]*\[… \d+ lines, \d+ bytes cut …\]\n[\s\S]*\n10000\n$/);
    expect(said.length).toBeLessThan(2200);
  });

  test("nothing is kept between commands, and a restart is answered", async () => {
    await using bench = await openWorkbench({ driver });
    await bench.call("shell", { command: "cd /tmp; export A=1" });
    expect(await bench.call("shell", { command: 'echo "[$A]"; [ "$PWD" != /tmp ] && echo fresh' })).toContain(
      "[]\nfresh",
    );
    expect(await bench.call("shell", { restart: true })).toBe("ok: Nothing to restart: every command starts fresh.");
    expect(await bench.call("shell", {})).toBe(
      "error: Wrong arguments for shell, nothing was done:\n- command: is missing",
    );
  });

  test("bytes that no store takes are replaced", async () => {
    await using bench = await openWorkbench({ driver });
    expect(await bench.call("shell", { command: "printf 'a\\0b\\377'" })).toContain("a\u2400b\uFFFD");
  });
});

test("nothing that a command has started is left after its time, however it hides", async () => {
  await using bench = await openWorkbench();
  const nap = `sleep 60.${process.pid}`;
  const command = `(setsid nohup ${nap} >/dev/null 2>&1 &); ${nap} & sh -c '${nap}; :'`;
  expect(await bench.call("shell", { command, timeout_seconds: 0.5 })).toContain("with all it started");
  expect((await namesOfProcesses()).includes(nap)).toBe(false);
});

async function namesOfProcesses(): Promise<string> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.join("\n").replaceAll("\0", " ");
}

test("a review's shell applies no patch", async () => {
  await using bench = await openWorkbench({ goal: "review", files: { "a.txt": "one\n" } });
  await bench.call("shell", {
    command: "apply_patch <<'EOF'\n*** Begin Patch\n*** Delete File: a.txt\n*** End Patch\nEOF",
  });
  expect(await bench.tree()).toEqual(["a.txt"]);
});

const body = "*** Begin Patch\n*** Delete File: a\n*** End Patch";

test.each([
  ["a heredoc", `apply_patch <<'EOF'\n${body}\nEOF`, "."],
  ["an unquoted heredoc with another word", `applypatch <<PATCH\n${body}\nPATCH\n`, "."],
  ["a heredoc in a folder", `cd 'my dir' && apply_patch <<"EOF"\n${body}\nEOF`, "my dir"],
  ["a bare patch", body, "."],
  ["one quoted argument", `apply_patch '${body}'`, "."],
])("%s is a patch", (_name, command, dir) => {
  expect(readShellPatch(command)).toEqual({ text: body, dir });
});

test.each([
  ["another command", "ls"],
  ["a command before", `echo a; apply_patch <<'EOF'\n${body}\nEOF`],
  ["a command behind", `apply_patch <<'EOF'\n${body}\nEOF\necho a\nEOF`],
  ["a folder from a variable", `cd $HOME && apply_patch <<'EOF'\n${body}\nEOF`],
  ["a pipe", `cat p | apply_patch`],
])("%s is none", (_name, command) => {
  expect(readShellPatch(command)).toBeNull();
});
