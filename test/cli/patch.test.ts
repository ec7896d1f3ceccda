import { execa } from "execa";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const BIN = join(import.meta.dirname, "../../bin/pullwright");

type Ended = { readonly exitCode: number | undefined; readonly stdout: string; readonly stderr: string };

/** A folder of files to patch; what lies beside it must never change. */
async function openFolder(files: Readonly<Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), "pw-patch-"));
  const root = join(dir, "root");
  await mkdir(root);
  await writeFile(join(dir, "outside.txt"), "outside\n");
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  const apply = async (body: string, ...options: readonly string[]): Promise<Ended> => {
    const input = body.startsWith("*") ? `*** Begin Patch\n${body}\n*** End Patch\n` : body;
    const { exitCode, stdout, stderr } = await execa(BIN, ["patch", ...options, "--root", root], {
      ...{ input, reject: false, env: { PATH: process.env["PATH"] ?? "" }, extendEnv: false },
    });
    return { exitCode, stdout, stderr };
  };
  // Without file types readdir follows links, a link to its own parent some forty times over.
  const tree = async () => {
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    return entries.map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)).toSorted();
  };
  const read = (name: string) => readFile(join(root, name), "utf8");
  return { dir, root, apply, tree, read, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}

test("a patch is applied and told; permissions stay, also when a file moves", async () => {
  await using folder = await openFolder({ "a.txt": "one\n", "b.sh": "echo\n", "c.txt": "c\n" });
  await chmod(join(folder.root, "b.sh"), 0o755);
  const body = [
    "*** Update File: a.txt\n-one\n+1",
    "*** Update File: b.sh\n*** Move to: bin/b.sh\n-echo\n+echo hi",
    "*** Delete File: c.txt",
  ];
  expect(await folder.apply(body.join("\n"))).toEqual({
    ...{ exitCode: 0, stderr: "" },
    stdout: "Done.\nM a.txt (at line 1)\nR b.sh -> bin/b.sh (at line 1)\nD c.txt",
  });
  expect(await folder.tree()).toEqual(["a.txt", "bin", "bin/b.sh"]);
  expect((await stat(join(folder.root, "bin/b.sh"))).mode & 0o777).toBe(0o755);
});

test("a unified diff is applied, with the mode it asks for", async () => {
  await using folder = await openFolder({});
  const diff = "diff --git a/x b/x\nnew file mode 100755\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x\n";
  expect((await folder.apply(diff)).exitCode).toBe(0);
  expect((await stat(join(folder.root, "x"))).mode & 0o777).toBe(0o755);
});

const late = "*** Update File: a.txt\n-one\n+1\n*** Update File: b.txt\n-x\n+y";

test("a refusal writes nothing, and strict keeps what came before it", async () => {
  await using folder = await openFolder({ "a.txt": "one\n", "b.txt": "two\n" });
  const refused = await folder.apply(late);
  expect([refused.exitCode, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain("Hunk 2 (b.txt), chunk 1");
  expect(await folder.read("a.txt")).toBe("one\n");
  expect(await folder.apply(late, "--strict")).toEqual({
    ...{ exitCode: 1, stdout: "" },
    stderr: "Failed to find expected lines in b.txt:\nx",
  });
  expect(await folder.read("a.txt")).toBe("1\n");
});

test("strict says what the original says", async () => {
  await using folder = await openFolder({ "a.txt": "one\none\n" });
  const result = await folder.apply("*** Update File: a.txt\n-one\n+1\n*** Add File: n/b\n+b", "--strict");
  expect(result).toEqual({
    ...{ exitCode: 0, stderr: "" },
    stdout: "Success. Updated the following files:\nA n/b\nM a.txt",
  });
});

test.each(["", "--strict"])("no path leads outside or into .git %s", async (option) => {
  await using folder = await openFolder({ "a.txt": "one\n" });
  await mkdir(join(folder.root, ".git"));
  await symlink("..", join(folder.root, "up"));
  await symlink("../outside.txt", join(folder.root, "out.txt"));
  await symlink("../nowhere", join(folder.root, "gone"));
  await symlink("loop", join(folder.root, "loop"));
  await symlink(".git", join(folder.root, "git"));
  await symlink("a.txt", join(folder.root, "same.txt"));
  const before = await folder.tree();
  for (const path of [
    ...["../outside.txt", "up/outside.txt", "up/new.txt", "out.txt", "gone", "loop", "loop/x", "/etc/pullwright"],
    ...[".git/config", "git/config", ".GIT/x", "a.txt/x", "same.txt", "."],
  ]) {
    const body = `*** Update File: a.txt\n-one\n+1\n*** Add File: new/for/this\n+x\n*** Add File: ${path}\n+x`;
    const { exitCode, stderr } = await folder.apply(body, ...(option === "" ? [] : [option]));
    expect([exitCode, stderr.includes("othing was changed")], `${path}: ${stderr}`).toEqual([1, true]);
  }
  expect(await folder.tree()).toEqual(before);
  expect(await folder.read("a.txt")).toBe("one\n");
  expect(await readdir(folder.dir)).toEqual(["outside.txt", "root"]);
  expect(await readFile(join(folder.dir, "outside.txt"), "utf8")).toBe("outside\n");
});
