/** Times and tables of the workspace bench. */
import { execa } from "execa";

export type Row = { readonly name: string; readonly ms: readonly number[] };

export async function timed<T>(act: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const startedAt = performance.now();
  const value = await act();
  return { ms: performance.now() - startedAt, value };
}

/** Standard output of a program that must succeed, without the caller's git settings. */
export async function run(program: string, args: readonly string[]): Promise<string> {
  const env = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
  return (await execa(program, args, { env, extendEnv: false, stdin: "ignore" })).stdout;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function render(title: string, rows: readonly Row[]): string {
  const lines = rows.map(({ name, ms }) => {
    const [low, middle, high] = [Math.min(...ms), median(ms), Math.max(...ms)].map((value) => value.toFixed(0));
    return `| ${name} | ${middle} | ${low}..${high} |`;
  });
  return [`| ${title} | median ms | range |`, "| --- | ---: | ---: |", ...lines, ""].join("\n");
}
