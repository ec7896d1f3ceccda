/** `doctor`: what is set up, what is not, and how to mend it. Exit status 1 when something is broken. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { openForge } from "../forge/github.ts";
import { defaultModels } from "../model/open-model.ts";
import {
  diagnose,
  diagnoseGit,
  diagnoseGrants,
  diagnoseModels,
  diagnoseSandbox,
  renderDiagnoses,
} from "../ops/doctor.ts";
import type { AppGrants, Diagnosis } from "../ops/doctor.ts";
import { diagnoseBrowser } from "../ops/doctor-browser.ts";
import { describeTables, diagnoseDisk } from "../ops/doctor-disk.ts";
import { openSandbox } from "../sandbox/open-sandbox.ts";
import { readSettings, requireGitHub, type Settings } from "../settings.ts";
import { openDatabase } from "../store/database.ts";

export async function doctor(args: readonly string[]): Promise<number> {
  parseArgs({ args: [...args], options: {} });
  const settings = readSettings();
  const sandbox = openSandbox(settings);
  const features = await sandbox.check();
  const isIsolated = features.every(({ kind, isPresent }) => isPresent || kind !== "isolation");
  const diagnoses = [
    { name: "node", state: "ok", detail: process.versions.node, remedy: "" } as const,
    await diagnoseGit(),
    ...diagnoseSandbox(features),
    ...(isIsolated ? [await diagnoseBrowser(sandbox)] : []),
    await diagnose("database", "Start PostgreSQL, or unset DATABASE_URL for the embedded one.", () =>
      tryDatabase(settings),
    ),
    ...(await diagnoseDisk(settings.dataDir, settings)),
    diagnoseModels(() => defaultModels(settings)),
    ...(await diagnoseGitHub(settings)),
  ];
  console.log(renderDiagnoses(diagnoses));
  return diagnoses.some(({ state }) => state === "broken") ? 1 : 0;
}

async function tryDatabase(settings: Settings): Promise<string> {
  await using database = await openDatabase(settings);
  const [row] = await database.query<{ version: string }>("SELECT split_part(version(), ' ', 2) AS version");
  return `${database.engine} ${row?.version ?? ""}, tables up to date, ${await describeTables(database)}`;
}

async function diagnoseGitHub(settings: Settings): Promise<readonly Diagnosis[]> {
  let granted: AppGrants | null = null;
  const found = await diagnose("GitHub", "Is GITHUB_API_URL right, and can this machine reach it?", async () => {
    const forge = openForge(requireGitHub(settings));
    granted = await forge.grants();
    return `the App is "${await forge.appSlug()}"`;
  });
  return granted === null ? [found] : [found, ...diagnoseGrants(await readNeeded(), granted)];
}

const Manifest = z.object({
  default_permissions: z.record(z.string(), z.string()),
  default_events: z.array(z.string()),
});

async function readNeeded(): Promise<AppGrants> {
  const manifest = Manifest.parse(parse(await readFile(new URL("../../app.yml", import.meta.url), "utf8")));
  return { permissions: manifest.default_permissions, events: manifest.default_events };
}
