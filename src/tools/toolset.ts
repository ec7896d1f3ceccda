/** The table of tools of one run. Which ones depends on the goal and on the way of editing the model was trained on. */
import type { PlanStep } from "../journal.ts";
import type { ToolSpec } from "../model/model.ts";
import type { SandboxSession } from "../sandbox/sandbox.ts";
import { openAlbum } from "./album.ts";
import { applyPatchTool, openPatchApplier } from "./apply-patch.ts";
import { openFiles } from "./files.ts";
import { historyTool } from "./history.ts";
import { notebookTool } from "./notebook.ts";
import { planTool } from "./plan.ts";
import { openReadState, type ReadState } from "./read-state.ts";
import { readTool } from "./read.ts";
import { openShownTexts } from "./shown-texts.ts";
import { answerReportTool, changeReportTool, reviewReportTool, type Report } from "./report.ts";
import { screenshotTool } from "./screenshot.ts";
import { searchTool } from "./search.ts";
import { SHELL_LIMITS, shellTool, type ShellLimits } from "./shell.ts";
import { textEditorTool } from "./text-editor.ts";
import type { Tool } from "./tool.ts";
import { undoTool } from "./undo.ts";

/** Sorted by name: the order is part of the prompt that vendors cache. */
export type Toolset = {
  readonly tools: readonly Tool[];
  readonly specs: readonly ToolSpec[];
  /** What was shown is no longer in the model's window, so it may be shown again. */
  readonly forget: () => void;
  /** What the model has seen of the workspace's files. */
  readonly readState: ReadState;
};

export type ToolsetOpening = {
  readonly session: SandboxSession;
  /** An answer and a review have nothing that edits. */
  readonly goal: "change" | "review" | "answer";
  readonly editing: "replace" | "patch";
  readonly onPlan: (steps: readonly PlanStep[]) => Promise<void> | void;
  readonly onReport: (report: Report) => Promise<void> | void;
  /** Whether the model can be shown images; false when left out. */
  readonly sees?: boolean;
  /** A browser in the sandbox (screenshot.ts), null or left out for none. */
  readonly browser?: string | null;
  /** Tools from above this room. */
  readonly more?: readonly Tool[];
  readonly limits?: Partial<ShellLimits>;
  /** Whether a file must have been seen before it is edited. False for a person's single call (`pullwright tool`). */
  readonly mustRead?: boolean;
};

export function openToolset(opening: ToolsetOpening): Toolset {
  const { session, goal, onPlan, onReport } = opening;
  const limits = { ...SHELL_LIMITS, ...opening.limits };
  const files = openFiles(session);
  const readState = openReadState();
  const shownTexts = openShownTexts();
  const album = opening.sees ? openAlbum() : null;
  const { more = [], browser = null } = opening;
  const forget = () => {
    shownTexts.forget();
    album?.forget();
  };
  const parts = { forget, readState };
  const common = [
    historyTool(session),
    readTool({ files, readState, shownTexts, album }),
    searchTool(session),
    planTool(onPlan),
    ...(album && browser !== null ? [screenshotTool({ session, album, browser })] : []),
    ...more,
  ];
  if (goal !== "change") {
    const reportTool = goal === "review" ? reviewReportTool(onReport) : answerReportTool(onReport);
    return toToolset([...common, shellTool({ session, limits, applyPatch: null }), reportTool], parts);
  }
  const desk = { files, readState, shownTexts, album, mustRead: opening.mustRead ?? true };
  const applyPatch = openPatchApplier(desk);
  const editTool = opening.editing === "patch" ? applyPatchTool(applyPatch) : textEditorTool(desk);
  const editing = [editTool, notebookTool(desk), undoTool(desk), shellTool({ session, limits, applyPatch })];
  return toToolset([...common, ...editing, changeReportTool(onReport)], parts);
}

function toToolset(tools: readonly Tool[], parts: Pick<Toolset, "forget" | "readState">): Toolset {
  const sorted = tools.toSorted((a, b) => (a.spec.name < b.spec.name ? -1 : 1));
  return { tools: sorted, specs: sorted.map(({ spec }) => spec), ...parts };
}
