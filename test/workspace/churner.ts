/** A worker that opens and closes workspaces without end: `node churner.ts MIRROR SHA RUNS FILES_MIN`. Says a line for each. */
import { takeCheckpoint } from "../../src/workspace/checkpoint.ts";
import { prepareSpare } from "../../src/workspace/spare.ts";
import { Workspace } from "../../src/workspace/workspace.ts";

const [gitDir = "", sha = "", runsDir = "", overlayFilesMin = ""] = process.argv.slice(2);
const opening = { mirror: { gitDir }, sha, runsDir, overlayFilesMin: Number(overlayFilesMin) };
const { signal } = new AbortController();
for (;;) {
  console.log("next");
  if (opening.overlayFilesMin === Infinity) await prepareSpare(opening, signal);
  await using workspace = await Workspace.open(opening, signal);
  await takeCheckpoint(workspace, signal);
}
