import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { modelKeys } from "../src/model-settings.ts";
import { readSettings } from "../src/settings.ts";

test("nothing set is no model, no price of one's own and no limit of ours", () => {
  expect(readSettings({})).toMatchObject({
    ...{ anthropic: null, openai: null, compatible: null, bedrock: null, vertex: null, azure: null },
    modelOverrides: {},
    rateLimits: { requests: null, inputTokens: null, outputTokens: null },
  });
});

test("each provider is there when its variables are, and only keys count as secrets", () => {
  const settings = readSettings({
    PULLWRIGHT_COMPATIBLE_URL: "http://127.0.0.1:8000/v1",
    AWS_REGION: "eu-central-1",
    ANTHROPIC_VERTEX_PROJECT_ID: "acme",
    AZURE_OPENAI_API_KEY: "azure-key",
    AZURE_OPENAI_ENDPOINT: "https://acme.openai.azure.com",
    ANTHROPIC_API_KEY: "claude-key",
    PULLWRIGHT_REQUESTS_PER_MINUTE: "50",
  });
  expect(settings).toMatchObject({
    compatible: { apiKey: null, baseUrl: "http://127.0.0.1:8000/v1" },
    bedrock: { region: "eu-central-1", baseUrl: null },
    vertex: { projectId: "acme", region: "global", baseUrl: null },
    azure: { apiKey: "azure-key", endpoint: "https://acme.openai.azure.com", apiVersion: "preview" },
    rateLimits: { requests: 50, inputTokens: null, outputTokens: null },
  });
  expect(modelKeys(settings)).toEqual(["claude-key", "azure-key"]);
});

const prices = { "compatible/*": { input: 0, output: 0 } };

test("prices are JSON, or a file of it", async () => {
  const dir = await mkdtemp(join(tmpdir(), "prices-"));
  try {
    const path = join(dir, "prices.json");
    await writeFile(path, JSON.stringify(prices));
    expect(readSettings({ PULLWRIGHT_PRICES: path }).modelOverrides).toEqual(prices);
    expect(readSettings({ PULLWRIGHT_PRICES: JSON.stringify(prices) }).modelOverrides).toEqual(prices);
  } finally {
    await rm(dir, { recursive: true });
  }
});

test.each([
  ["{", /PULLWRIGHT_PRICES is not JSON/],
  ["/nonexistent/prices.json", /neither JSON nor a file that can be read: \/nonexistent/],
  ['{"opus":{"input":1,"output":2}}', /must map provider\/model to prices[^]*opus/],
  ['{"a/b":{"input":-1,"output":2}}', /a\/b[^]*input/],
  ['{"a/b":{"input":1,"out":2}}', /out/],
])("prices that cannot be read are refused with the place: %s", (value, message) => {
  expect(() => readSettings({ PULLWRIGHT_PRICES: value })).toThrow(message);
});
