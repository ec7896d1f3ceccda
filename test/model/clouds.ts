/** The clouds' models over the stand-in's wire. Credentials come from the environment, as in the world; `stubClouds` sets it. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { Models } from "../../sim/models/models.ts";
import { bedrockModel, vertexModel } from "../../src/model/anthropic-cloud.ts";
import { azureModel } from "../../src/model/azure.ts";
import { modelFacts } from "../../src/model/catalog.ts";
import type { Model } from "../../src/model/model.ts";

export type OpenCloud = (models: Models, idleMsMax?: number) => Promise<Model>;

const OPUS_IN_BEDROCK = "us.anthropic.claude-opus-5-5-v1:0";

export const bedrock: OpenCloud = (models, idleMsMax = 10_000) =>
  bedrockModel({
    account: { region: "eu-central-1", baseUrl: models.url },
    ...{ name: OPUS_IN_BEDROCK, facts: modelFacts(`bedrock/${OPUS_IN_BEDROCK}`), idleMsMax },
  });

export const vertex: OpenCloud = async (models, idleMsMax = 10_000) => {
  await identifyAtGoogle(models);
  return vertexModel({
    account: { projectId: "acme", region: "global", baseUrl: `${models.url}/v1` },
    ...{ name: "claude-opus-5-5", facts: modelFacts("vertex/claude-opus-5-5"), idleMsMax },
  });
};

export const azureAt =
  (apiVersion: string): OpenCloud =>
  async (models, idleMsMax = 10_000) =>
    azureModel({
      account: { apiKey: "azure-key-0123456789", endpoint: `${models.url}/`, apiVersion },
      ...{ deployment: "gpt-6.1-sol", facts: modelFacts("azure/gpt-6.1-sol"), idleMsMax },
    });

export const azure = azureAt("preview");

/** Credentials for all clouds, as their own tools look for them. */
export async function stubClouds(): Promise<AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), "clouds-"));
  await writeFile(join(dir, SUBJECT), "who-I-am");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIASIM");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "sim-secret");
  vi.stubEnv("GOOGLE_CLOUD_PROJECT", "acme");
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", join(dir, "google.json"));
  return {
    [Symbol.asyncDispose]: async () => {
      vi.unstubAllEnvs();
      await rm(dir, { recursive: true });
    },
  };
}

const SUBJECT = "subject";

/** An identity that the stand-in changes for a token. */
async function identifyAtGoogle(models: Models): Promise<void> {
  const path = process.env["GOOGLE_APPLICATION_CREDENTIALS"];
  if (path === undefined) throw new Error("stubClouds was not called");
  const account = {
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/sim/providers/sim",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${models.url}/google/token`,
    credential_source: { file: join(path, "..", SUBJECT) },
  };
  await writeFile(path, JSON.stringify(account));
}
