/** One commit in one form, spoiled in one way, applied to its parent's texts by the engine alone; the verdict compares whole trees. */
import { pathsOf, planPatch } from "../../src/patch/apply.ts";
import { patchOfOperation } from "../../src/patch/operation.ts";
import { parsePatch } from "../../src/patch/parse.ts";
import { PatchError, type Patch } from "../../src/patch/patch.ts";
import { replaceText } from "../../src/patch/replace.ts";
import { renderLines, type DiffLine } from "./diff.ts";
import type { Commit } from "./history.ts";
import { perturbLines, type Perturbation } from "./perturb.ts";
import { mulberry32, type Random } from "../../test/patch/random.ts";
import { isSayable, renderApplyPatch, renderOperations, renderUnified } from "./render.ts";
import { renderReplacements } from "./replacements.ts";
import { spoilReplacement } from "./spoil-replacement.ts";

export const FORMS = ["apply_patch", "operations", "unified", "str_replace"] as const;
export type Form = (typeof FORMS)[number];

export type Verdict =
  | { readonly kind: "right" }
  | { readonly kind: "refused"; readonly message: string }
  /** `difference` quotes the first line that is not as it should be, `given` is what the engine read. */
  | { readonly kind: "WRONG"; readonly path: string; readonly difference: string; readonly given: string }
  /** Nothing to spoil, or the format has no words for the change. */
  | { readonly kind: "untold" };

export type Trial = { readonly form: Form; readonly how: Perturbation; readonly seed: number };

type Tree = Map<string, string | null>;

export function runTrial(commit: Commit, { form, how, seed }: Trial): Verdict {
  const random = mulberry32(seed);
  const isV4a = form === "apply_patch" || form === "operations";
  if (isV4a && !commit.changes.every((change) => isSayable(change, form))) return { kind: "untold" };
  const tree: Tree = new Map(
    commit.changes.flatMap(({ oldPath, before }) => (before === null ? [] : [[oldPath, before]])),
  );
  const text = { shown: "" };
  try {
    const isDone = applyForm(commit, { form, how, random, tree, text });
    if (!isDone) return { kind: "untold" };
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    return { kind: "refused", message: error.message };
  }
  const wrong = [...wantedTree(commit)].find(([path, wanted]) => (tree.get(path) ?? null) !== wanted);
  if (!wrong) return { kind: "right" };
  const [path, wanted] = wrong;
  return { kind: "WRONG", path, difference: findDifference(tree.get(path) ?? null, wanted), given: text.shown };
}

function findDifference(got: string | null, wanted: string | null): string {
  const [gotLines, wantedLines] = [got, wanted].map((text) => text?.split(/(?<=\n)/) ?? []);
  const at = gotLines?.findIndex((line, i) => line !== wantedLines?.[i]) ?? 0;
  const line = at === -1 ? (gotLines?.length ?? 0) : at;
  return `line ${line + 1}: got ${JSON.stringify(gotLines?.[line])}, wanted ${JSON.stringify(wantedLines?.[line])}`;
}

function wantedTree({ changes }: Commit): Tree {
  const gone = changes.map(({ oldPath }): [string, null] => [oldPath, null]);
  const there = changes.map(({ newPath, after }): [string, string | null] => [newPath, after]);
  return new Map<string, string | null>([...gone, ...there.filter(([, text]) => text !== null)]);
}

type Work = {
  readonly form: Form;
  readonly how: Perturbation;
  readonly random: Random;
  readonly tree: Tree;
  readonly text: { shown: string };
};

/** False when there was nothing to spoil. */
function applyForm(commit: Commit, work: Work): boolean {
  const { form, how, random, tree, text } = work;
  switch (form) {
    case "apply_patch":
    case "unified": {
      const lines: readonly DiffLine[] = form === "unified" ? renderUnified(commit) : renderApplyPatch(commit, random);
      const spoiled = perturbLines(lines, { how, random, texts: textsOf(commit) });
      if (spoiled === null) return false;
      text.shown = spoiled;
      applyPatch(parsePatch(spoiled), tree);
      return true;
    }
    case "operations":
      return applyOperations(commit, work);
    case "str_replace":
      return applyReplacements(commit, work);
  }
}

function applyPatch(patch: Patch, tree: Tree): void {
  const { edits } = planPatch(patch, new Map(pathsOf(patch).map((path) => [path, tree.get(path) ?? null])));
  for (const edit of edits) tree.set(edit.path, edit.kind === "write" ? edit.text : null);
}

function applyOperations(commit: Commit, { how, random, tree, text }: Work): boolean {
  const spoiling = { how, random, texts: textsOf(commit) };
  let isSpoiled = how === "clean";
  for (const { type, path, diff } of renderOperations(commit, random)) {
    // An operation is JSON, where a "\r" in a new file is meant.
    const spoiled = how === "CRLF" && type === "create_file" ? null : perturbLines(diff, spoiling);
    isSpoiled ||= spoiled !== null;
    const told = spoiled ?? renderLines(diff);
    text.shown += `${type} ${path}\n${told}\n`;
    applyPatch(patchOfOperation({ type, path, diff: told }), tree);
  }
  return isSpoiled;
}

/** Files that come, go and move are the other tools' work; here only their texts are edited. */
function applyReplacements(commit: Commit, { how, random, tree, text }: Work): boolean {
  let isSpoiled = how === "clean";
  for (const change of commit.changes) {
    let now = change.before;
    if (now !== null && change.after !== null)
      for (const replacement of now === "" ? [] : renderReplacements(change)) {
        const spoiled = spoilReplacement(replacement, { how, random, texts: [now] });
        isSpoiled ||= !now.includes(spoiled.oldText);
        text.shown += `${change.oldPath}\n--- old\n${spoiled.oldText}\n--- new\n${spoiled.newText}\n`;
        now = replaceText(now, { ...spoiled, isAll: false }).text;
      }
    tree.set(change.oldPath, null);
    tree.set(change.newPath, change.before === "" || change.after === null ? change.after : (now ?? change.after));
  }
  return isSpoiled;
}

function textsOf({ changes }: Commit): readonly string[] {
  return changes.map(({ before }) => `\n${(before ?? "").replaceAll("\r\n", "\n")}`);
}
