import { applyDiff } from "@openai/agents-core";
import { expect, test } from "vitest";
import { planPatch } from "../../src/patch/apply.ts";
import { patchOfOperation } from "../../src/patch/operation.ts";
import { PatchError } from "../../src/patch/patch.ts";
import { mulberry32 } from "../patch/random.ts";
import { explain, type Answers } from "./explain.ts";
import { makeStory, type Story } from "./stories.ts";

const STORIES = 6000;

test("our engine and OpenAI's applyDiff agree, or differ in a way that decision 0005 explains", () => {
  const random = mulberry32(5);
  const classes = new Map<string, number>();
  for (let i = 0; i < STORIES; i++) {
    const story = makeStory(random);
    const answers = ask(story);
    const name = answers.ours === answers.theirs ? "same" : explain(story, answers);
    expect(name, JSON.stringify({ i, ...story, ...answers })).not.toMatch(/^unexplained/);
    classes.set(name, (classes.get(name) ?? 0) + 1);
  }
  // Else the stories have become too wild to say much.
  expect(classes.get("same")).toBeGreaterThan(STORIES / 2);
});

function ask({ before, diff }: Story): Answers {
  const messages = { ours: "", theirs: "" };
  return { ours: askOurs(), theirs: askTheirs(), messages };

  function askOurs(): string | null {
    try {
      const patch = patchOfOperation({ type: "update_file", path: "f", diff });
      const [edit] = planPatch(patch, new Map([["f", before]])).edits;
      return edit?.kind === "write" ? edit.text : before;
    } catch (error) {
      if (!(error instanceof PatchError)) throw error;
      messages.ours = error.message;
      return null;
    }
  }

  function askTheirs(): string | null {
    try {
      return applyDiff(before, diff);
    } catch (error) {
      messages.theirs = String(error);
      return null;
    }
  }
}
