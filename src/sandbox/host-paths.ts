/** Looks at the host's file system for what bubblewrap must be told: its top-level folders, and paths others cannot walk. */
import { lstat, readlink, realpath, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { UserError } from "../failure.ts";
import type { Bind, SandboxTools, TopLevel } from "./bubblewrap-arguments.ts";
import type { Staged } from "./launcher.ts";

const TOP_LEVEL = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/** Where root may mount over: empty on most machines, and the mount is seen by one launcher only. */
const STAGING_DIRS = ["/mnt", "/media", "/srv", "/opt"];

export async function readTopLevel(): Promise<readonly TopLevel[]> {
  const entries = await Promise.all(
    TOP_LEVEL.map(async (name): Promise<TopLevel | null> => {
      const stats = await lstat(`/${name}`).catch(() => null); // Not every machine has a lib32.
      if (stats === null) return null;
      return stats.isSymbolicLink()
        ? { name, kind: "link", target: await readlink(`/${name}`) }
        : { name, kind: "folder" };
    }),
  );
  return entries.filter((entry) => entry !== null);
}

/** Throws UserError when a tool folder is missing or two would get the same name. */
export async function bindTools({ tools, binaries }: SandboxTools): Promise<readonly Bind[]> {
  const wanted = [
    ...tools.map((source) => ({ source, target: `/opt/${basename(source)}` })),
    ...binaries.map(({ name, path }) => ({ source: path, target: `/opt/bin/${name}` })),
  ];
  const targets = wanted.map(({ target }) => target);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index || target === "/opt/bin/bin");
  if (twice !== undefined || targets.some((target) => target === "/opt/bin")) {
    throw new UserError(`Two sandbox tools would both be ${twice ?? "/opt/bin"} inside. Rename one of the folders.`);
  }
  return Promise.all(
    wanted.map(async ({ source, target }) => {
      const real = await realpath(source).catch(() => null);
      if (real !== null) return { source: real, target, isWritable: false };
      throw new UserError(`The sandbox tool ${source} does not exist. Correct PULLWRIGHT_SANDBOX_TOOLS.`);
    }),
  );
}

export type Staging = {
  readonly stagingDir: string | null;
  readonly staged: readonly Staged[];
  /** The same binds, with sources that the sandbox's uid can reach. */
  readonly binds: readonly Bind[];
};

/** For a launcher that drops root: sources below a closed folder such as /root go through the staging folder. */
export async function stageUnreachable(binds: readonly Bind[]): Promise<Staging> {
  const reachable = await Promise.all(binds.map((bind) => isReachable(bind.source)));
  if (reachable.every(Boolean)) return unstaged(binds);
  const stagingDir = await pickStagingDir(binds);
  const staged: Staged[] = [];
  for (const [index, { source }] of binds.entries()) {
    if (reachable[index] || staged.some((entry) => isWithin(entry.source, source))) continue;
    const isFolder = (await stat(source)).isDirectory();
    staged.push({ source, target: join(stagingDir, String(staged.length)), isFolder });
  }
  return { stagingDir, staged, binds: binds.map((bind) => ({ ...bind, source: throughStage(bind.source, staged) })) };
}

export function unstaged(binds: readonly Bind[]): Staging {
  return { stagingDir: null, staged: [], binds };
}

function throughStage(source: string, staged: readonly Staged[]): string {
  const entry = staged.find((candidate) => isWithin(candidate.source, source));
  return entry ? join(entry.target, source.slice(entry.source.length)) : source;
}

async function pickStagingDir(binds: readonly Bind[]): Promise<string> {
  for (const folder of STAGING_DIRS) {
    if (binds.some(({ source }) => isWithin(folder, source))) continue;
    if (
      await stat(folder).then(
        (stats) => stats.isDirectory(),
        () => false,
      )
    )
      return folder;
  }
  throw new UserError(
    `The workspace lies in a folder closed to other users, and the sandbox needs one of ${STAGING_DIRS.join(", ")} ` +
      `to show it from. Make an empty folder ${STAGING_DIRS[0]}, or move the workspace.`,
  );
}

/** Whether any user may walk to it. Owners and access lists are left out: a needless staging does no harm. */
async function isReachable(path: string): Promise<boolean> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (((await stat(folder)).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

function isWithin(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}
