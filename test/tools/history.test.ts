import { describe, expect, test } from "vitest";
import { DRIVERS, openWorkbench, type Driver } from "./workbench.ts";

const git = "git -c user.name=Ann -c user.email=a@b.c";

async function openRepository(driver: Driver) {
  const bench = await openWorkbench({ driver, files: { "a.txt": "one\ntwo\n", "b.txt": "b\n" } });
  const commit = (subject: string, date: string) =>
    `git add . && GIT_AUTHOR_DATE='${date}T12:00:00Z' GIT_COMMITTER_DATE='${date}T12:00:00Z' ${git} commit -qm '${subject}'`;
  const commands = [
    "git init -q -b work",
    commit("First", "2024-01-02"),
    "printf 'one\\n2\\n' > a.txt",
    commit("Count", "2024-02-03"),
    "printf 'c\\n' > b.txt",
    commit("Other", "2024-03-04"),
  ];
  const said = await bench.call("shell", { command: commands.join(" && ") });
  if (!said.includes("Exit status 0")) throw new Error(said);
  return bench;
}

const hideHashes = (text: string) => text.replace(/\b[0-9a-f]{7,40}\b/g, "HASH");

describe.each(DRIVERS)("the history tool, in the %s sandbox", (driver) => {
  test("commits are listed, of a file and of lines too, and the cut is told", async () => {
    await using bench = await openRepository(driver);
    const log = async (input: object) => hideHashes(await bench.call("history", { action: "log", ...input }));
    expect(await log({})).toBe(
      "ok: HASH 2024-03-04 Ann: Other\nHASH 2024-02-03 Ann: Count\nHASH 2024-01-02 Ann: First",
    );
    expect(await log({ path: "a.txt", limit: 1 })).toBe(
      "ok: HASH 2024-02-03 Ann: Count\n[… first 1 commits; raise limit for more …]",
    );
    expect(await log({ path: "a.txt", start_line: 1, end_line: 1 })).toBe("ok: HASH 2024-01-02 Ann: First");
    expect(await log({ revision: "HEAD~1..HEAD" })).toBe("ok: HASH 2024-03-04 Ann: Other");
    await bench.call("shell", { command: "git rev-parse HEAD > .git/shallow" });
    expect(await log({})).toBe("ok: HASH 2024-03-04 Ann: Other\n[history before these commits is not here]");
  });

  test("lines are blamed, commits and old files are shown", async () => {
    await using bench = await openRepository(driver);
    expect(hideHashes(await bench.call("history", { action: "blame", path: "a.txt", start_line: 2 }))).toMatch(
      /^ok: HASH \(Ann 2024-02-03 2\) 2$/,
    );
    expect(await bench.call("history", { action: "show", revision: "HEAD~1" })).toMatch(/Count[\s\S]*-two\n\+2$/);
    expect(await bench.call("history", { action: "show", revision: "HEAD~2", path: "a.txt", start_line: 2 })).toBe(
      "ok:      2\ttwo",
    );
  });

  test("a diff tells of new files too", async () => {
    await using bench = await openRepository(driver);
    expect(await bench.call("history", { action: "diff" })).toBe("ok: No difference.");
    await bench.write("new.txt", "n\n");
    expect(await bench.call("history", { action: "diff" })).toBe("ok: ?? new.txt");
    expect(await bench.call("history", { action: "diff", revision: "HEAD" })).toBe("ok: ?? new.txt");
    expect(await bench.call("history", { action: "diff", revision: "HEAD~1" })).toMatch(
      /^ok: \?\? new\.txt\n[^]*-b\n\+c$/,
    );
    expect(await bench.call("history", { action: "diff", revision: "HEAD", path: "a.txt" })).toBe("ok: No difference.");
    await bench.write("b.txt", "d\n");
    expect(await bench.call("history", { action: "diff" })).toMatch(/^ok:  M b\.txt\n\?\? new\.txt\n[\s\S]*-c\n\+d$/);
    expect(await bench.call("history", { action: "diff", revision: "HEAD~2..HEAD", path: "a.txt" })).toMatch(
      /-two\n\+2$/,
    );
  });

  test("nothing that git would take for an option or a place elsewhere gets through", async () => {
    await using bench = await openRepository(driver);
    const call = (input: object) => bench.call("history", { action: "log", ...input });
    for (const revision of ["--output=x", "-p", "HEAD x", "HEAD:a.txt", ":/x", "$(id)"])
      expect(await call({ revision })).toMatch(/^error: .* is no revision\./);
    expect(await call({ path: "../x" })).toContain("name a path inside the workspace");
    expect(await call({ path: "/etc/passwd" })).toContain("name a path inside the workspace");
    expect(await call({ path: ".git/config" })).toContain("it names .git");
    expect(await call({ path: ":(top)a.txt" })).toBe("ok: No commit.");
    expect(await call({ revision: "nosuch" })).toMatch(/^error: git failed: .*nosuch/);
    expect(await bench.call("history", { action: "blame" })).toContain("- path: is missing");
    expect(await bench.tree()).not.toContain("x");
  });

  test("no program that the repository has configured is run", async () => {
    await using bench = await openRepository(driver);
    const traps = ["core.fsmonitor", "diff.external", "diff.x.textconv", "core.pager"];
    const set = traps.map((name) => `git config ${name} 'touch caught;'`);
    await bench.call("shell", { command: [...set, "echo '* diff=x' > .gitattributes"].join(" && ") });
    await bench.write("b.txt", "e\n");
    for (const action of ["log", "blame", "show", "diff"]) await bench.call("history", { action, path: "b.txt" });
    await bench.call("history", { action: "show" });
    expect(await bench.tree()).not.toContain("caught");
  });
});

test("a folder without history says so", async () => {
  await using bench = await openWorkbench({ files: { "a.txt": "a\n" } });
  expect(await bench.call("history", { action: "log" })).toMatch(/^error: git failed: .*not a git repository/);
});
