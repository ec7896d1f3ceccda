/** A worker that opens a workspace and waits to be killed: `node holder.ts MIRROR SHA RUNS FILES_MIN`. Says the folder of its tree. */
import { Workspace } from "../../src/workspace/workspace.ts";

const [gitDir = "", sha = "", runsDir = "", overlayFilesMin = ""] = process.argv.slice(2);
const opening = { mirror: { gitDir }, sha, runsDir, overlayFilesMin: Number(overlayFilesMin) };
const workspace = await Workspace.open(opening, new AbortController().signal);
console.log(workspace.treeDir);
setInterval(() => workspace.treeDir, 60_000);
