/** The clouds' models over the stand-in's wire. Credentials come from the environment that a test stubs, as in the world. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
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

export const vertex: OpenCloud = (models, idleMsMax = 10_000) =>
  vertexModel({
    account: { projectId: "acme", region: "global", baseUrl: `${models.url}/v1` },
    ...{ name: "claude-opus-5-5", facts: modelFacts("vertex/claude-opus-5-5"), idleMsMax },
  });

export const azureAt =
  (apiVersion: string): OpenCloud =>
  async (models, idleMsMax = 10_000) =>
    azureModel({
      account: { apiKey: "azure-key-0123456789", endpoint: `${models.url}/`, apiVersion },
      ...{ deployment: "gpt-6.1-sol", facts: modelFacts("azure/gpt-6.1-sol"), idleMsMax },
    });

export const azure = azureAt("preview");

/** Writes `dir`/google.json: an identity from `dir`/subject, which the stand-in changes for a token. */
export async function identifyAtGoogle(dir: string, models: Models): Promise<void> {
  const account = {
    type: "external_account",
    audience: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/sim/providers/sim",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${models.url}/google/token`,
    credential_source: { file: join(dir, "subject") },
  };
  await writeFile(join(dir, "google.json"), JSON.stringify(account));
}
