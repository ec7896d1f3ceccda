/** What every Model does with images that a tool has shown, over the stand-ins, which look at them as the vendors do. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Models } from "../../sim/models/models.ts";
import type { Image, Observation } from "../../src/journal.ts";
import { imageTokensOf } from "../../src/model/image-tokens.ts";
import type { Message, Model, ModelReply } from "../../src/model/model.ts";
import { ask, callsOf, gpt51, opus, qwen, qwenVision, said, sol, startScript, textOf } from "../model/adapters.ts";
import { azure, bedrock, stubClouds, vertex } from "../model/clouds.ts";
import { user } from "../model/transcripts.ts";
import { GIF, JPEG, png, WEBP } from "../tools/pictures.ts";

type OpenAny = (models: Models) => Model | Promise<Model>;

/** Each with the place of the first image in its request. */
const ANTHROPIC = { type: "image", source: { type: "base64", media_type: "image/png", data: "" } };
const OPENAI = { type: "input_image", detail: "high", image_url: "data:image/png;base64," };
const CHAT = { type: "image_url", image_url: { url: "data:image/png;base64," } };
const adapters: readonly (readonly [string, OpenAny, object])[] = [
  ["anthropic", opus, ANTHROPIC],
  ["openai", sol, OPENAI],
  ["openai with its own patch tool", gpt51, OPENAI],
  ["compatible", qwenVision, CHAT],
  ["bedrock", bedrock, ANTHROPIC],
  ["vertex", vertex, ANTHROPIC],
  ["azure", azure, OPENAI],
];

let clouds: AsyncDisposable;
beforeAll(async () => {
  clouds = await stubClouds();
});
afterAll(() => clouds[Symbol.asyncDispose]());

const image = (bytes: Buffer, mediaType: Image["mediaType"], width: number, height: number): Image => {
  return { mediaType, width, height, base64: bytes.toString("base64") };
};
const PICTURE = image(png(800, 600), "image/png", 800, 600);

/** Each call of the reply observed, the first with images. */
function show(reply: ModelReply, images: readonly Image[]): Message {
  const observations = callsOf(reply).map(({ id }, i): Observation => {
    const shown = i === 0 ? { images } : {};
    return { callId: id, text: `seen ${i}`, isError: false, ...shown };
  });
  return { kind: "observations", observations };
}

const look = {
  do: [{ do: "call", tool: "search", input: { query: "a" } } as const, { do: "shell", command: "ls" } as const],
};

async function converseWith(model: Model, images: readonly Image[]) {
  const first = await ask(model, [user("Look.")]);
  const messages = [user("Look."), said(first), show(first, images)];
  return { messages, reply: await ask(model, messages) };
}

describe.each(adapters)("%s", (_, open, part) => {
  test("images of every kind go with the result of their call, and stay the same in the next request", async () => {
    await using models = await startScript([look, look, { text: "Blue." }]);
    const model = await open(models);
    const all = [
      PICTURE,
      image(JPEG, "image/jpeg", 16, 12),
      image(GIF, "image/gif", 1, 1),
      image(WEBP, "image/webp", 1, 1),
    ];
    const { messages, reply } = await converseWith(model, all);
    expect(textOf(await ask(model, [...messages, said(reply), show(reply, []), user("And?")]))).toBe("Blue.");
    expect(models.requests.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [, second = "", third = ""] = models.requests.map(({ body }) => JSON.stringify(body));
    const wanted = JSON.stringify(part).replace(/"(|data:image\/png;base64,)"(\}+)$/, `"$1${PICTURE.base64}"$2`);
    expect(second).toContain(wanted);
    for (const { base64 } of all) expect([second, third].map((body) => body.split(base64).length)).toEqual([2, 2]);
    expect(second.indexOf("seen 0")).toBeLessThan(second.indexOf(PICTURE.base64));
  });

  test("what people say right after an image is heard", async () => {
    await using models = await startScript([look, { text: "Yes." }]);
    const model = await open(models);
    const first = await ask(model, [user("Look.")]);
    const messages = [user("Look."), said(first), show(first, [PICTURE]), user("Is it blue?"), user("Quick.")];
    expect(textOf(await ask(model, messages))).toBe("Yes.");
    const body = JSON.stringify(models.requests[1]?.body);
    expect([body.indexOf(PICTURE.base64), body.indexOf("Is it blue?"), body.indexOf("Quick.")]).toEqual(
      [body.indexOf(PICTURE.base64), body.indexOf("Is it blue?"), body.indexOf("Quick.")].toSorted((a, b) => a - b),
    );
    expect(body.indexOf(PICTURE.base64)).toBeGreaterThan(0);
  });

  test("an image that cannot be opened is a wrong request, and none of ours", async () => {
    await using models = await startScript([look, { text: "Blue." }]);
    const broken = { ...PICTURE, base64: png(800, 600).subarray(0, 60).toString("base64") };
    await expect(converseWith(await open(models), [broken])).rejects.toMatchObject({ fault: "invalid-request" });
  });

  test("a model without eyes reads what it cannot see", async () => {
    await using models = await startScript([look, { text: "I cannot see." }]);
    const { id, facts, reply } = await open(models);
    const blind = { ...facts, quirks: { ...facts.quirks, images: null } };
    const model = await openBlind(models, { id, facts: blind, reply });
    if (!model) return; // The clouds' clients share the request builders above.
    await converseWith(model, [PICTURE]);
    const body = JSON.stringify(models.requests[1]?.body);
    expect(body).toContain("seen 0\\n[image/png of 800 x 600 pixels, which you cannot be shown]");
    expect(body).not.toContain(PICTURE.base64);
  });
});

/** The same adapter with other facts; null where only its tests' opener knows how. */
async function openBlind(models: Models, { id, facts }: Model): Promise<Model | null> {
  const [provider, name = ""] = id.split("/");
  const parts = { name, facts, idleMsMax: 10_000 };
  switch (provider) {
    case "anthropic": {
      const { anthropicModel } = await import("../../src/model/anthropic.ts");
      return anthropicModel({ apiKey: "k", baseUrl: models.anthropicBaseUrl, ...parts });
    }
    case "openai": {
      const { openaiModel } = await import("../../src/model/openai.ts");
      return openaiModel({ apiKey: "k", baseUrl: models.openaiBaseUrl, ...parts });
    }
    case "compatible":
      return qwen(models);
    default:
      return null;
  }
}

test("many images with our longest edge are taken", async () => {
  await using models = await startScript([look, { text: "Blue." }]);
  const large = image(png(2000, 20), "image/png", 2000, 20);
  const { reply } = await converseWith(opus(models), new Array<Image>(21).fill(large));
  expect(textOf(reply)).toBe("Blue.");
});

test("what the vendor counts for an image is what we expect of it", async () => {
  const counted: number[] = [];
  for (const images of [[], [PICTURE]]) {
    await using models = await startScript([look, { text: "Blue." }]);
    const { usage } = (await converseWith(opus(models), images)).reply;
    counted.push(usage.input + usage.cachedRead + usage.cacheWrite);
  }
  const [without = 0, withOne = 0] = counted;
  const observations = [{ callId: "c", text: "", isError: false, images: [PICTURE] }];
  const expected = imageTokensOf(
    { kind: "observations", observations },
    opus(await startScript([])).facts.quirks.images,
  );
  expect(withOne - without - expected).toBeLessThan(60); // The words around it.
  expect(withOne - without).toBeGreaterThanOrEqual(expected);
});
