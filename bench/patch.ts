/**
 * `node bench/patch.ts`: the engine on a patch of a thousand chunks over five hundred files and on a replacement in a 50 MB file,
 * alone and through `pullwright patch`; then the same edit at four file sizes, which must cost in proportion. Each measurement is a
 * process of its own, so that its peak memory is its own.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathsOf, planPatch } from "../src/patch/apply.ts";
import { parsePatch } from "../src/patch/parse.ts";
import { replaceText } from "../src/patch/replace.ts";

const FILES = 500;
const LINES = 400;
const MEGABYTE = 1024 * 1024;
const SIZES_MB = [6.25, 12.5, 25, 50];
/** The best of these is the least disturbed one. */
const ROUNDS = 3;

const BIG_PATCH = "*** Begin Patch\n*** Update File: big.txt\n@@\n-the needle\n+the pin\n   in it\n*** End Patch\n";

type Measured = { readonly ms: number; readonly peakMb: number };

const [job, size = "0"] = process.argv.slice(2);
if (job === undefined) report();
else console.log(JSON.stringify(measure(job, Number(size))));

function report(): void {
  const rows: (readonly [string, Measured])[] = [
    ["empty process", spawnJob("nothing", 0)],
    ["1,000 chunks over 500 files, engine", spawnJob("chunks", 0)],
    ["1,000 chunks over 500 files, pullwright patch", throughCommand(makeTree(), makePatch())],
    ["str_replace in 50 MB, engine", spawnJob("replace", 50)],
    ["one chunk in 49 MB, pullwright patch", throughCommand([["big.txt", makeBig(49)]], BIG_PATCH)],
  ];
  for (const kind of ["replace", "replace-loosely", "patch"])
    for (const megabytes of SIZES_MB) rows.push([`${kind}, ${megabytes} MB`, spawnJob(kind, megabytes)]);
  for (const [name, { ms, peakMb }] of rows)
    console.log(`${name.padEnd(48)} ${ms.toFixed(0).padStart(6)} ms ${peakMb.toFixed(0).padStart(6)} MB peak`);
}

function spawnJob(name: string, megabytes: number): Measured {
  return best(() => {
    const output = execFileSync(process.execPath, [import.meta.filename, name, String(megabytes)], {
      encoding: "utf8",
    });
    const [ms = 0, peakMb = 0] = output.match(/[\d.]+/g)?.map(Number) ?? [];
    return { ms, peakMb };
  });
}

function best(round: () => Measured): Measured {
  const all = Array.from({ length: ROUNDS }, round);
  return { ms: Math.min(...all.map(({ ms }) => ms)), peakMb: Math.min(...all.map(({ peakMb }) => peakMb)) };
}

function measure(name: string, megabytes: number): Measured {
  const run = prepare(name, megabytes);
  const startedAt = performance.now();
  run();
  return { ms: performance.now() - startedAt, peakMb: process.resourceUsage().maxRSS / 1024 };
}

function prepare(name: string, megabytes: number): () => void {
  const big = megabytes > 0 ? makeBig(megabytes) : "";
  const loose = { oldText: "the needle \n  in it", newText: "the pin\n  in it", isAll: false };
  switch (name) {
    case "chunks": {
      const files = new Map(makeTree());
      const text = makePatch();
      return () => {
        const patch = parsePatch(text);
        if (
          planPatch(patch, new Map(pathsOf(patch).map((path) => [path, files.get(path) ?? null]))).edits.length !==
          FILES
        )
          throw new Error("not every file was changed");
      };
    }
    case "replace":
      return () => void replaceText(big, { ...loose, oldText: "the needle\n  in it" });
    case "replace-loosely":
      return () => void replaceText(big, loose);
    case "patch":
      return () => void planPatch(parsePatch(BIG_PATCH), new Map([["big.txt", big]]));
    default:
      return () => {};
  }
}

/** The needle stands at nine tenths. */
function makeBig(megabytes: number): string {
  const line = "    return compute(alpha, beta) + 12345; // a line of usual length\n";
  const count = Math.floor((megabytes * MEGABYTE) / line.length) - 1;
  return `${line.repeat(Math.floor(count * 0.9))}the needle\n  in it\n${line.repeat(Math.floor(count * 0.1))}`;
}

function makeTree(): readonly (readonly [string, string])[] {
  return Array.from({ length: FILES }, (_, i) => [
    `d${i % 20}/f${i}.ts`,
    Array.from({ length: LINES }, (_, n) => `const name${n} = ${i} + ${n};\n`).join(""),
  ]);
}

function makePatch(): string {
  const hunks = Array.from({ length: FILES }, (_, i) => {
    const chunk = (n: number) =>
      `@@\n const name${n} = ${i} + ${n};\n-const name${n + 1} = ${i} + ${n + 1};\n+const changed = 1;\n`;
    return `*** Update File: d${i % 20}/f${i}.ts\n${chunk(100)}${chunk(300)}`;
  });
  return `*** Begin Patch\n${hunks.join("")}*** End Patch\n`;
}

/** On real files, Node's start included. The process tells its own peak memory as its last word. */
function throughCommand(tree: readonly (readonly [string, string])[], patch: string): Measured {
  return best(() => {
    const root = mkdtempSync(join(tmpdir(), "pw-bench-patch-"));
    try {
      for (const [path, text] of tree) {
        mkdirSync(join(root, path, ".."), { recursive: true });
        writeFileSync(join(root, path), text);
      }
      const script = `await import(${JSON.stringify(join(import.meta.dirname, "../src/cli.ts"))}); console.error("PEAK " + process.resourceUsage().maxRSS)`;
      const file = join(root, ".run.mjs");
      writeFileSync(file, script);
      const startedAt = performance.now();
      const args = [file, "patch", "--root", root];
      const { status, stderr } = spawnSync(process.execPath, args, { input: patch, encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
      const ms = performance.now() - startedAt;
      return { ms, peakMb: Number(/PEAK (\d+)/.exec(stderr)?.[1] ?? 0) / 1024 };
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
}
