import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findUnreached, inspect, type SourceFile } from "./tidy.ts";

const files: readonly SourceFile[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => ({ path: join("src", name), text: readFileSync(join("src", name), "utf8") }));

test("the house rules hold in every file of src", () => {
  expect(files.flatMap(inspect)).toEqual([]);
});

test("every file of src is reached from main.ts or cli.ts", () => {
  expect(findUnreached(files, ["src/main.ts", "src/cli.ts"])).toEqual([]);
});

test("no test and no stand-in mocks a module", () => {
  const mocking = ["test", "sim"].flatMap((dir) =>
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && name !== "tidy.test.ts")
      .filter((name) => /\bvi\s*\.\s*mock\b/.test(readFileSync(join(dir, name), "utf8"))),
  );
  expect(mocking).toEqual([]);
});

const purpose = "/** Says what it is for. */\n";
const planted: readonly (readonly [string, SourceFile, string])[] = [
  [
    "an import that points up",
    { path: "src/tools/x.ts", text: `${purpose}import { a } from "../run/a.ts";` },
    "imports up or sideways: src/run/a.ts",
  ],
  [
    "a type import that points sideways",
    { path: "src/queue/x.ts", text: `${purpose}import type { A } from "../store/a.ts";` },
    "imports up or sideways: src/store/a.ts",
  ],
  [
    "a dynamic import that points up",
    { path: "src/model/x.ts", text: `${purpose}const a = await import("../agent/a.ts");` },
    "imports up or sideways: src/agent/a.ts",
  ],
  [
    "an import of the stand-ins",
    { path: "src/run/x.ts", text: `${purpose}import { a } from "../../sim/a.ts";` },
    "outside src",
  ],
  [
    "an SDK away from home",
    { path: "src/run/x.ts", text: `${purpose}import OpenAI from "openai";` },
    "openai has its home elsewhere",
  ],
  [
    "node in a pure room",
    { path: "src/patch/x.ts", text: `${purpose}import { readFileSync } from "node:fs";` },
    "a pure room imports node:fs",
  ],
  [
    "the clock in a pure room",
    { path: "src/policy/x.ts", text: `${purpose}export const f = () => Date.now();` },
    "a pure room has an effect",
  ],
  [
    "a banned word",
    { path: "src/run/x.ts", text: `${purpose}export class RunManager {}` },
    "banned word in the name RunManager",
  ],
  ["any", { path: "src/run/x.ts", text: `${purpose}export const f = (a: any) => a;` }, "any"],
  [
    "the environment read elsewhere",
    { path: "src/run/x.ts", text: `${purpose}export const f = () => process.env["A"];` },
    "reads process.env",
  ],
  [
    "a forged PublicText",
    { path: "src/publish/x.ts", text: `${purpose}export const f = (a: string) => a as PublicText;` },
    "makes PublicText",
  ],
  ["a long file", { path: "src/run/x.ts", text: purpose + "\n".repeat(260) }, "lines, at most 250"],
  [
    "a long function",
    { path: "src/run/x.ts", text: `${purpose}export function f() {\n${"  f();\n".repeat(60)}}` },
    "f has 62 lines",
  ],
  [
    "a file without a purpose",
    { path: "src/run/x.ts", text: "export const a = 1;" },
    "does not say what the file is for",
  ],
];

test("the guard catches a call returned unawaited while something is held", () => {
  const text = `${purpose}export async function f() {\n  await using a = open();\n  return g(a);\n}`;
  expect(inspect({ path: "src/run/x.ts", text }).join()).toContain('returns a call unawaited under "await using"');
});

test.each(planted)("the guard catches %s", (_name, file, message) => {
  expect(inspect(file).join("\n")).toContain(message);
});

test("the guard catches a file that nothing reaches", () => {
  const lonely = { path: "src/run/lonely.ts", text: purpose };
  expect(findUnreached([{ path: "src/main.ts", text: "" }, lonely], ["src/main.ts"])).toEqual(["src/run/lonely.ts"]);
});
