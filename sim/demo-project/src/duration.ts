/** Reads "2h", "45m" or "2h 15m" as whole minutes. Throws RangeError for anything else. */
export function parseDuration(text: string): number {
  const match = /^(\d+)(h|m)/.exec(text.trim());
  if (!match) throw new RangeError(`not a duration: "${text}"`);
  const amount = Number(match[1]);
  return match[2] === "h" ? amount * 60 : amount;
}

/** Writes whole minutes as people do: "45m", "3h", "5h 15m". */
export function formatDuration(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  const rest = minutes % 60;
  if (hours === 0) return `${rest}m`;
  return rest === 0 ? `${hours}h` : `${hours}h ${rest}m`;
}
