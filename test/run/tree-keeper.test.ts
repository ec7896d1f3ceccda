import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JournalEntry, TreeJournal, TreePack } from "../../src/journal.ts";
import { TreeKeeper } from "../../src/run/tree-keeper.ts";
import { restoreCheckpoint, unpackCheckpoint } from "../../src/workspace/checkpoint.ts";
import { Workspace } from "../../src/workspace/workspace.ts";
import { openRepository, type TestRepository } from "../workspace/repository.ts";
import { readWholeTree } from "../workspace/whole-tree.ts";

const never = new AbortController().signal;

type Written = { readonly kinds: readonly JournalEntry["kind"][]; readonly pack: TreePack | null };

function memory(): TreeJournal & { readonly written: Written[] } {
  const written: Written[] = [];
  const write = (entries: readonly JournalEntry[], pack: TreePack | null) =>
    void written.push({ kinds: entries.map(({ kind }) => kind), pack });
  return {
    written,
    append: async (entry) => write([entry], null),
    appendTogether: async (entries, pack) => write(entries, pack),
    read: async () => [],
  };
}

const seen = {
  kind: "tool-observed",
  turn: 1,
  wallMs: 1,
  observation: { callId: "1", text: "", isError: false },
} as const;
const command: JournalEntry = {
  ...{ ...seen, tool: "shell" },
  command: { command: "true", exitCode: 0, wallMs: 1, outputTail: "" },
};
const edit: JournalEntry = {
  ...{ ...seen, tool: "edit", command: null },
  edits: [{ path: "a.txt", hunks: [], isCut: false }],
};
const read: JournalEntry = { ...seen, tool: "read", command: null };
const inside = (role: "explorer" | "test-writer", entry: JournalEntry): JournalEntry => ({
  ...{ kind: "sub-agent", id: `${role}-1`, role, entry },
});

async function open(repository: TestRepository, packBytesMax?: number) {
  const sha = repository.commits.at(-1) ?? "";
  const opening = { mirror: repository.mirror, sha, runsDir: join(repository.dir, "runs") };
  const workspace = await Workspace.open(opening, never);
  const journal = memory();
  const limit = packBytesMax === undefined ? {} : { packBytesMax };
  const keeper = new TreeKeeper({ journal, workspace, packs: [], now: Date.now, ...limit }, never);
  const write = (name: string, text: string) => writeFile(join(workspace.treeDir, name), text);
  return { workspace, keeper, write, written: journal.written };
}

const FILES = { ".gitignore": "*.log\n", "a.txt": "one\n" };

test("a pack comes with the observation of what changed the tree, and with no other", async () => {
  await using repository = await openRepository(FILES);
  const { workspace, keeper, write, written } = await open(repository);
  await using _ = workspace;
  await keeper.append(read);
  await write("a.txt", "two\n");
  await keeper.append(edit);
  await write("ignored.log", "x");
  await keeper.append(command);
  await write("b.txt", "new\n");
  await keeper.append(command);
  await keeper.append(inside("explorer", command));
  await write("c.txt", "new\n");
  await keeper.append(inside("test-writer", command));
  const plain = { kinds: ["tool-observed"], pack: null };
  const kept = (isBase: boolean, kind = "tool-observed") => ({
    kinds: [kind, "checkpointed"],
    pack: expect.objectContaining({ isBase }),
  });
  const looked = { kinds: ["sub-agent"], pack: null };
  expect(written).toEqual([plain, kept(true), plain, kept(false), looked, kept(false, "sub-agent")]);
});

test("what wrote nothing costs no git process", async () => {
  await using repository = await openRepository(FILES);
  const { workspace, keeper, write, written } = await open(repository);
  await using _ = workspace;
  await write("a.txt", "two\n");
  await keeper.append(command);
  // Without its store git could do nothing but fail, and that would be told.
  await rename(workspace.gitDir, `${workspace.gitDir}.away`);
  for (const entry of [command, read, command]) await keeper.append(entry);
  await write("a.txt", "three\n");
  await keeper.append(command);
  await rename(`${workspace.gitDir}.away`, workspace.gitDir);
  const plain = ["tool-observed"];
  expect(written.map(({ kinds }) => kinds)).toEqual([
    ...[["tool-observed", "checkpointed"], plain, plain, plain],
    ["tool-observed", "checkpoint-missed"],
  ]);
});

test("the packs since the last base give the tree to another machine, however many there were", async () => {
  await using repository = await openRepository(FILES);
  const { workspace, keeper, write, written } = await open(repository);
  await using _ = workspace;
  for (let i = 0; i < 20; i += 1) {
    await write(`file-${i}.txt`, `text ${i}\n`);
    if (i === 10) await rm(join(workspace.treeDir, "file-3.txt"));
    await keeper.append(edit);
  }
  const packs = written.flatMap(({ pack }) => (pack ? [pack] : []));
  const since = packs.slice(packs.findLastIndex(({ isBase }) => isBase));
  expect([packs.length, since.length]).toEqual([20, 4]);

  const elsewhere = await open(repository);
  await using other = elsewhere.workspace;
  for (const { pack } of since) await unpackCheckpoint(other, pack, never);
  await restoreCheckpoint(other, { tree: since.at(-1)?.tree ?? "", baseSha: other.baseSha }, never);
  expect(await readWholeTree(other.treeDir)).toEqual(await readWholeTree(workspace.treeDir));
});

test("what is larger than packs may be is told once, and kept again when it has gone", async () => {
  await using repository = await openRepository(FILES);
  const { workspace, keeper, write, written } = await open(repository, 2_000);
  await using _ = workspace;
  await write("a.txt", "two\n");
  await keeper.append(edit);
  const noise = Array.from({ length: 4_000 }, (_, i) => ((i * 7919) ^ (i << 3)).toString(36)).join("");
  await write("big.txt", noise);
  await keeper.append(command);
  await write("a.txt", "three\n");
  await keeper.append(edit);
  await rm(join(workspace.treeDir, "big.txt"));
  await keeper.append(command);
  expect(written.map(({ kinds, pack }) => [kinds.at(-1), pack?.isBase])).toEqual([
    ["checkpointed", true],
    ["checkpoint-missed", undefined],
    ["tool-observed", undefined],
    ["checkpointed", false],
  ]);
});
