import { readFileSync } from "node:fs";
import { renderReport } from "./report.ts";
import { parseTimesheet } from "./timesheet.ts";

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error("usage: node src/main.ts SHEET");
  process.exit(2);
}
console.log(renderReport(parseTimesheet(readFileSync(path, "utf8"))));
