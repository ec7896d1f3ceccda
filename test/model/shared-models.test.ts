import { expect, test } from "vitest";
import { sharedModels } from "../../src/model/roles.ts";
import { readSettings } from "../../src/settings.ts";
import { startScript } from "./adapters.ts";
import { askWith, user } from "./transcripts.ts";

test("the runs of a worker share a model's limits, and other models have their own", async () => {
  await using models = await startScript([{ text: "Hi." }]);
  const settings = readSettings({
    ANTHROPIC_API_KEY: "sk-ant-0123456789",
    ANTHROPIC_BASE_URL: models.anthropicBaseUrl,
    OPENAI_API_KEY: "sk-0123456789",
    OPENAI_BASE_URL: models.openaiBaseUrl,
    PULLWRIGHT_REQUESTS_PER_MINUTE: "1",
  });
  const open = sharedModels(settings, Date.now);
  const stop = new AbortController();
  const ask = (role: "author" | "reviewer") => open(role)[0].reply(askWith([user("Hi")]), stop.signal);
  await ask("author");
  const waiting = ask("author");
  await ask("reviewer");
  expect(models.requests.map(({ wire }) => wire)).toEqual(["anthropic", "openai"]);
  stop.abort("stopped");
  await expect(waiting).rejects.toBe("stopped");
});
