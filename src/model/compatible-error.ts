/** Errors as the servers of Chat Completions write them, in the one shape the SDK reads. Without this their words would be lost. */
import { z } from "zod";
import { readObject } from "./wire.ts";

export type ChatError = { readonly message: string; readonly type: string | null; readonly code: string | null };

const word = z.union([z.string(), z.number()]).nullish();
const Flat = z.looseObject({ message: z.string(), type: word, code: word });
/** OpenAI's, LiteLLM's, llama.cpp's and newer vLLM's; Ollama's error is a bare string. */
const Wrapped = z.object({ error: z.union([Flat, z.string()]) });
/** vLLM's before 0.10. */
const Bare = z.looseObject({ object: z.literal("error"), ...Flat.shape });
/** FastAPI's own, in front of vLLM and others. */
const Detailed = z.object({ detail: z.union([z.string(), z.array(z.object({ msg: z.string() }))]) });

/** The error a JSON value tells of, or null when it is none. */
export function readChatError(value: unknown): ChatError | null {
  const detail = Detailed.safeParse(value).data?.detail;
  if (detail !== undefined) return plain(typeof detail === "string" ? detail : detail.map(({ msg }) => msg).join("; "));
  const error = Wrapped.safeParse(value).data?.error ?? Bare.safeParse(value).data;
  if (error === undefined) return null;
  if (typeof error === "string") return plain(error);
  const { message, type, code } = error;
  return { message, type: type == null ? null : String(type), code: code == null ? null : String(code) };
}

/** Text that a proxy wrote: enough of it to tell which. */
const TEXT_CHARS_MAX = 200;

/** A `fetch` whose failed answers all look like OpenAI's. */
export async function fetchWithReadableErrors(...request: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(...request);
  if (response.ok) return response;
  const text = await response.text();
  const error =
    readChatError(readObject(text)) ??
    plain(
      text
        .replaceAll(/<[^>]*>|\s+/g, " ")
        .trim()
        .slice(0, TEXT_CHARS_MAX),
    );
  const { status, headers } = response;
  const json = new Headers(headers);
  json.set("content-type", "application/json");
  json.delete("content-length");
  json.delete("content-encoding");
  return new Response(JSON.stringify({ error }), { status, headers: json });
}

function plain(message: string): ChatError {
  return { message: message === "" ? "no message" : message, type: null, code: null };
}
