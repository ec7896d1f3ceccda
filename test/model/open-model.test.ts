import { execa } from "execa";
import { expect, test } from "vitest";
import { UserError } from "../../src/failure.ts";
import { defaultModels, openModel } from "../../src/model/open-model.ts";

const key = { apiKey: "key", baseUrl: null };
const none = { anthropic: null, openai: null, authorModel: null, reviewerModel: null };
const claude = "anthropic/claude-opus-5-5";
const gpt = "openai/gpt-6.1-sol";

test.each([
  ["both keys", { anthropic: key, openai: key }, { author: claude, reviewer: gpt }],
  ["only Anthropic's key", { anthropic: key }, { author: claude, reviewer: claude }],
  ["only OpenAI's key", { openai: key }, { author: gpt, reviewer: gpt }],
  [
    "an author of the second vendor",
    { anthropic: key, openai: key, authorModel: "openai/gpt-6-luna" },
    { author: "openai/gpt-6-luna", reviewer: claude },
  ],
  [
    "a Claude in Bedrock, which Claude does not review",
    { anthropic: key, openai: key, bedrock: { region: "eu-central-1", baseUrl: null }, authorModel: "bedrock/x" },
    { author: "bedrock/x", reviewer: gpt },
  ],
  [
    "both models set",
    { anthropic: key, authorModel: "anthropic/claude-sonnet-5", reviewerModel: claude },
    { author: "anthropic/claude-sonnet-5", reviewer: claude },
  ],
])("with %s the models are chosen", (_, settings, chosen) => {
  expect(defaultModels({ ...none, ...settings })).toEqual(chosen);
});

test.each([
  ["no key at all", none, /ANTHROPIC_API_KEY or OPENAI_API_KEY/],
  ["an author without a key", { ...none, openai: key, authorModel: claude }, /needs an API key: set ANTHROPIC_API_KEY/],
  ["a reviewer without a key", { ...none, anthropic: key, reviewerModel: gpt }, /needs an API key: set OPENAI_API_KEY/],
  [
    "a server of one's own that was not named",
    { ...none, openai: key, authorModel: "compatible/qwen3" },
    /PULLWRIGHT_COMPATIBLE_URL/,
  ],
  ["Bedrock without a region", { ...none, openai: key, authorModel: "bedrock/x" }, /set AWS_REGION/],
  ["Vertex without a project", { ...none, openai: key, authorModel: "vertex/x" }, /set ANTHROPIC_VERTEX_PROJECT_ID/],
  ["Azure without a resource", { ...none, openai: key, authorModel: "azure/x" }, /set AZURE_OPENAI_ENDPOINT/],
  ["a provider nobody knows", { ...none, openai: key, authorModel: "acme/x" }, /`acme\/x` has no provider we know/],
])("with %s the asker is told what to set", (_, settings, message) => {
  expect(() => defaultModels(settings)).toThrow(UserError);
  expect(() => defaultModels(settings)).toThrow(message);
});

test("opening a model names it and knows its facts without asking anyone", () => {
  const model = openModel(claude, { anthropic: key, openai: null });
  expect([model.id, model.facts.editing]).toEqual([claude, "replace"]);
  expect(() => openModel(gpt, { anthropic: key, openai: null })).toThrow(/OPENAI_API_KEY/);
});

/** Node as it is where a package was not installed. */
const WITHOUT = `import { registerHooks } from "node:module";
registerHooks({
  resolve(specifier, parent, next) {
    if (!specifier.startsWith("@anthropic-ai/bedrock-sdk")) return next(specifier, parent);
    throw Object.assign(new Error("Cannot find package"), { code: "ERR_MODULE_NOT_FOUND" });
  },
});`;

test("without the package of a cloud the asker is told the command that installs it, and opening harms nobody", async () => {
  const script = `
    import { openModel } from "./src/model/open-model.ts";
    const settings = { anthropic: null, openai: null, bedrock: { region: "eu-central-1", baseUrl: null } };
    const model = openModel("bedrock/x", settings, { loadsAtOnce: true });
    await new Promise((resolve) => setImmediate(resolve));
    const request = { system: "", tools: [], messages: [], outputTokensMax: 1, cacheKey: "" };
    await model.reply(request, new AbortController().signal).catch((error) => console.log(error.name + ": " + error.message));`;
  const hooks = `data:text/javascript,${encodeURIComponent(WITHOUT)}`;
  const { stdout } = await execa(process.execPath, ["--import", hooks, "--input-type=module", "--eval", script]);
  expect(stdout).toMatch(/^UserError: .*`@anthropic-ai\/bedrock-sdk`.*npm ci --omit=dev/);
});
