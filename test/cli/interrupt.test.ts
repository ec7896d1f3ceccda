import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

test("a command that is interrupted leaves no process, and gives the folder back to its owner", async () => {
  const dir = await mkdtemp(join(tmpdir(), "pw-interrupt-"));
  try {
    const work = join(dir, "work");
    await mkdir(work);
    const owner = (await stat(work)).uid;
    const mark = `sleep 4${process.pid}`;
    const env = { PATH: process.env["PATH"] ?? "", PULLWRIGHT_DATA: join(dir, "data") };
    const child = spawn(BIN, ["sandbox", "--workspace", work, "--", "sh", "-c", `touch started; ${mark}`], {
      env,
      stdio: "ignore",
    });
    await expect.poll(() => readdir(work), { timeout: 15_000 }).toEqual(["started"]);
    child.kill("SIGINT");
    await once(child, "exit");
    expect((await stat(work)).uid).toBe(owner);
    expect(await processesWith(mark)).toEqual([]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function processesWith(text: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.map((line) => line.replaceAll("\0", " ")).filter((line) => line.startsWith(text));
}
