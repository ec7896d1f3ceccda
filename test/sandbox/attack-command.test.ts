/** `pullwright sandbox`, with which anybody runs attacks of their own, gives the same verdicts as the suite's sessions. */
import { execa } from "execa";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { argvOf } from "./attacks/attack.ts";
import { Bait } from "./attacks/bait.ts";
import { ATTACKS } from "./attacks/judge.ts";

const BIN = join(import.meta.dirname, "../../bin/pullwright");
const CHOSEN = [
  "reads a host file by its name",
  "sees or signals processes of the host",
  "dials this machine's own servers",
];

test.each(CHOSEN)("an attack that %s holds through the command line too", async (name) => {
  const attack = ATTACKS.find((each) => each.name === name);
  if (attack === undefined) throw new Error(`no attack ${name}`);
  await using bait = await Bait.open("bubblewrap");
  const dir = await mkdtemp(join(tmpdir(), "pullwright-command-"));
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: dir,
    PULLWRIGHT_DATA: join(dir, "data"),
    PULLWRIGHT_TEST: bait.secret,
  };
  const argv = ["sandbox", "--workspace", dir, "--", ...argvOf(attack, bait)];
  const { exitCode, stdout } = await execa(BIN, argv, { env, extendEnv: false, reject: false });
  await rm(dir, { recursive: true });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "HELD" });
});
