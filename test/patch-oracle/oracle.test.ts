import { expect, test } from "vitest";
import { mulberry32 } from "../patch/random.ts";
import { askOurs, askTheirs } from "./ask.ts";
import { explain } from "./explain.ts";
import { makeStory } from "./stories.ts";

const STORIES = 6000;

test("our engine and OpenAI's applyDiff agree, or differ for causes that decision 0005 names", () => {
  const random = mulberry32(5);
  const classes = new Map<string, number>();
  for (let i = 0; i < STORIES; i++) {
    const story = makeStory(random);
    const names = explain(story);
    const told = () => JSON.stringify({ i, ...story, ours: askOurs(story), theirs: askTheirs(story) });
    expect(names, names === null ? told() : "").not.toBeNull();
    for (const name of names?.length === 0 ? ["same"] : new Set(names)) classes.set(name, (classes.get(name) ?? 0) + 1);
  }
  // Else the stories have become too wild to say much.
  expect(classes.get("same")).toBeGreaterThan(STORIES / 2);
});
