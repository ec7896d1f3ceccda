import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { describeTables, diagnoseDisk } from "../../src/ops/doctor-disk.ts";
import { openTestDatabase } from "../database.ts";

const MIB = 1024 ** 2;

test("doctor measures what the caches take and warns of one that outgrew its limit", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "pw-disk-"));
  try {
    await mkdir(join(dataDir, "mirrors", "1.git"), { recursive: true });
    await writeFile(join(dataDir, "mirrors", "1.git", "pack"), Buffer.alloc(3 * MIB, 1));
    const said = async (mirrorBytesMax: number | null) => {
      const lines = await diagnoseDisk(dataDir, { mirrorBytesMax, setUpBytesMax: 20 * 1024 ** 3 });
      return new Map(lines.map(({ name, state, detail }) => [name, `${state}: ${detail}`]));
    };
    const within = await said(10 * MIB);
    expect(within.get("disk: mirrors")).toMatch(/^ok: [34] MiB of at most 10 MiB$/);
    expect(within.get("disk: set-ups")).toBe("ok: 0 MiB of at most 20.0 GiB");
    expect((await said(MIB)).get("disk: mirrors")).toMatch(/^warning: /);
    expect((await said(null)).get("disk: mirrors")).toMatch(/^ok: /);
    expect(within.get("disk")).toContain(`free in ${dataDir}`);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
});

test("doctor says how large the database is, and which tables are the largest", async () => {
  await using opened = await openTestDatabase();
  expect(await describeTables(opened.database)).toMatch(/^\d+ MiB in all, \w+ \d+ MiB, \w+ \d+ MiB, \w+ \d+ MiB$/);
});
