/** The watch over a workspace's disk, through real commands of one session. */
import { expect, test } from "vitest";
import { LIMITS, MIB, openSession } from "./open-session.ts";

const limits = { ...LIMITS, workspaceBytesMax: 64 * MIB };
const FULL = { kind: "disk-limit", workspaceBytesMax: 64 * MIB };

test("what several quick commands write is added up, and a command that deletes it may go on", async () => {
  await using session = await openSession({ limits });
  const fill = (name: string) => session.bash(`fallocate -l 40M ${name}; sleep 4`);
  expect((await fill("a")).exit).toEqual({ kind: "exited", code: 0 });
  expect((await fill("b")).exit).toEqual(FULL);
  expect((await session.bash("rm a b && sleep 4; echo emptied")).stdout).toBe("emptied\n");
  expect((await fill("a")).exit).toEqual({ kind: "exited", code: 0 });
});

test("what was in the workspace before the session does not count", async () => {
  await using before = await openSession();
  await before.bash("for i in 1 2 3; do fallocate -l 60M old$i; done");
  await using session = await openSession({ workspaceDir: before.workspaceDir, limits });
  const { exit } = await session.bash("fallocate -l 20M new; sleep 3");
  expect(exit).toEqual({ kind: "exited", code: 0 });
});
