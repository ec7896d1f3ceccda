/** The manifests against Kubernetes' and KEDA's own schemas: values by the validators made of them, unknown fields by the type check. */
import { execa } from "execa";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { readSettings } from "../../src/settings.ts";
import { openTestDatabase } from "../database.ts";

const ROOT = join(import.meta.dirname, "../..");
const FOLDER = join(ROOT, "deploy/kubernetes");

const Kustomization = z.object({ resources: z.array(z.string()) });
const Manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});
type Manifest = z.infer<typeof Manifest>;
const Models = z.record(
  z.string(),
  z.custom<new (data: object) => { validate(): void }>(() => true),
);

const FILES = [...(await listResources()), "scale-cpu.yaml", "secret.example.yaml"];

async function listResources(): Promise<readonly string[]> {
  const [document] = await readDocuments("kustomization.yaml");
  return Kustomization.parse(document).resources;
}

async function readDocuments(file: string): Promise<readonly unknown[]> {
  const documents = parseAllDocuments(await readFile(join(FOLDER, file), "utf8"));
  return documents.flatMap((document) => {
    expect(document.errors).toEqual([]);
    return [document.toJS()];
  });
}

async function readManifests(file: string): Promise<readonly Manifest[]> {
  return (await readDocuments(file)).map((document) => Manifest.parse(document));
}

/** The module that holds a kind: `apps/v1`, and `v1` for the core. */
function moduleOf({ apiVersion }: Manifest): string {
  return apiVersion.startsWith("keda.sh/")
    ? `@kubernetes-models/keda/${apiVersion}`
    : `kubernetes-models/${apiVersion}`;
}

async function complaints(manifest: Manifest): Promise<readonly string[]> {
  const { [manifest.kind]: Model } = Models.parse({ ...(await import(moduleOf(manifest))) });
  if (Model === undefined) return [`no kind ${manifest.kind}`];
  try {
    new Model(manifest).validate();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

/** Object literals may hold no field that their type does not name. */
async function unknownFields(manifests: readonly Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(ROOT, "node_modules/.manifests-"));
  try {
    const lines = manifests.map((manifest, index) => {
      const type = `import("${moduleOf(manifest)}/${manifest.kind}").I${manifest.kind}`;
      return `export const it${index}: ${type} = ${JSON.stringify(manifest)};`;
    });
    await writeFile(join(folder, "manifests.ts"), lines.join("\n"));
    const options = [
      "--ignoreConfig",
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--module",
      "nodenext",
      "--target",
      "esnext",
    ];
    const { stdout } = await execa("tsc", [...options, join(folder, "manifests.ts")], {
      ...{ preferLocal: true, localDir: ROOT, cwd: folder, reject: false, timeout: 60_000 },
    });
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test.each(FILES)("%s is valid", async (file) => {
  for (const manifest of await readManifests(file)) expect(await complaints(manifest)).toEqual([]);
});

test("no manifest has a field that Kubernetes does not know", async () => {
  expect(await unknownFields((await Promise.all(FILES.map(readManifests))).flat())).toBe("");
});

test("a wrong value and an unknown field are found", async () => {
  const [worker] = await readManifests("worker.yaml");
  if (worker === undefined) throw new Error("there is no worker");
  expect(
    await complaints({ ...worker, spec: { ...z.looseObject({}).parse(worker["spec"]), replicas: "two" } }),
  ).toHaveLength(1);
  expect(await complaints({ ...worker, spec: {} })).toHaveLength(1);
  expect(await unknownFields([{ ...worker, spek: {} }])).toContain("spek");
});

const Container = z.looseObject({
  args: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
});
const Deployment = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({
      spec: z.looseObject({ terminationGracePeriodSeconds: z.number(), containers: z.tuple([Container]) }),
    }),
  }),
});

test.each(["serve.yaml", "worker.yaml"])("%s has settings that are read, and time to stop in", async (file) => {
  const deployment = (await readManifests(file)).find(({ kind }) => kind === "Deployment");
  const { terminationGracePeriodSeconds, containers } = Deployment.parse(deployment).spec.template.spec;
  const [{ env }] = containers;
  const settings = readSettings(Object.fromEntries(env.map(({ name, value }) => [name, value])));
  expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(settings.graceMs + 20_000);
});

test("KEDA's query is one that the database answers, and counts the tasks of as many runs as a worker does at once", async () => {
  const [, scaled] = await readManifests("scale-keda.yaml");
  const { triggers } = z
    .looseObject({ triggers: z.tuple([z.looseObject({ metadata: z.record(z.string(), z.string()) })]) })
    .parse(scaled?.["spec"]);
  const worker = (await readManifests("worker.yaml"))[0];
  const [{ env }] = Deployment.parse(worker).spec.template.spec.containers;
  const settings = readSettings(Object.fromEntries(env.map(({ name, value }) => [name, value])));
  expect(Number(triggers[0].metadata["targetQueryValue"])).toBe(settings.concurrency);
  await using opened = await openTestDatabase();
  const [row] = await opened.database.query(triggers[0].metadata["query"] ?? "");
  expect(Object.values(row ?? {})).toEqual([0]);
});
