/** Replies of OpenAI's own shell tool, and a turn of the stand-in that calls it. */
import { z } from "zod";
import type { Models } from "../../sim/models/models.ts";
import type { ModelReply } from "../../src/model/model.ts";
import { readResponse } from "../../src/model/openai-reply.ts";
import type { Turn } from "./adapters.ts";
import { play } from "./transcripts.ts";

/** Three commands in two calls. */
export const two: Turn = {
  thinking: "Both at once.",
  do: [
    { do: "commands", commands: ["make", "make test"], timeoutMs: 1_500, outputLengthMax: 4_096 },
    { do: "shell", command: "ls" },
  ],
};

const Body = z.object({ input: z.array(z.looseObject({ type: z.string() })) });
/** The items of a request that the stand-in was sent. */
export const inputOf = (models: Models, index: number) => Body.parse(models.requests[index]?.body).input;
export const kindsOf = (models: Models, index: number) => inputOf(models, index).map(({ type }) => type);

export const action = { commands: ["rm -rf build"], timeout_ms: null, max_output_length: null };
export const shellCall = (action: unknown, status = "completed") => ({
  ...{ type: "shell_call", id: "sh_1", call_id: "c" },
  ...{ action, status },
});
export const done = (item: object) => ({ type: "response.output_item.done", output_index: 0, item });
const completed = { type: "response.completed", response: { output: [], usage: null } };

/** A response of these events, which the vendor calls complete. */
export const readEvents = (...events: readonly object[]): Promise<ModelReply> =>
  readResponse(play([...events, completed]), { name: "gpt-5.1", toolNames: new Map([["shell", "shell"]]) });
export const readItem = (item: object): Promise<ModelReply> => readEvents(done(item));
