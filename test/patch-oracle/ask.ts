/** Both engines on one story: the new text, or why not. */
import { applyDiff } from "@openai/agents-core";
import { planPatch } from "../../src/patch/apply.ts";
import { patchOfOperation } from "../../src/patch/operation.ts";
import { PatchError } from "../../src/patch/patch.ts";
import type { Story } from "./stories.ts";

/** `text` is null for a refusal, whose message is `why`. */
export type Answer = { readonly text: string | null; readonly why: string };

export function askOurs({ before, diff }: Story): Answer {
  try {
    const patch = patchOfOperation({ type: "update_file", path: "f", diff });
    const [edit] = planPatch(patch, new Map([["f", before]])).edits;
    return { text: edit?.kind === "write" ? edit.text : before, why: "" };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return { text: null, why: error.message };
  }
}

export function askTheirs({ before, diff }: Story): Answer {
  try {
    return { text: applyDiff(before, diff), why: "" };
  } catch (error) {
    return { text: null, why: String(error) };
  }
}
