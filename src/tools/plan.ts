/** The plan tool: steps for people to watch. It changes nothing but what they see. */
import { z } from "zod";
import type { PlanStep } from "../journal.ts";
import { defineTool } from "./define-tool.ts";
import type { Tool } from "./tool.ts";

/** A longer plan is no plan. */
const STEPS_MAX = 50;
const STEP_CHARS_MAX = 500;

const Step = z.object({
  step: z.string().min(1).max(STEP_CHARS_MAX),
  status: z.enum(["pending", "in_progress", "completed"]),
});
const Input = z.object({
  explanation: z.string().optional(),
  steps: z
    .array(Step)
    .min(1)
    .max(STEPS_MAX)
    .refine(
      (steps) => steps.filter(({ status }) => status === "in_progress").length <= 1,
      "at most one step may be in_progress",
    ),
});

export function planTool(onPlan: (steps: readonly PlanStep[]) => Promise<void> | void): Tool {
  return defineTool({
    name: "plan",
    effect: "writes", // In order with the other calls of a turn.
    input: Input,
    run: async ({ steps }) => {
      await onPlan(steps);
      const done = steps.filter(({ status }) => status === "completed").length;
      return { text: `Plan recorded: ${done} of ${steps.length} steps completed.` };
    },
  });
}
