import assert from "node:assert/strict";
import { test } from "node:test";
import { renderReport } from "../src/report.ts";
import { parseTimesheet } from "../src/timesheet.ts";

const SHEET = `
# March
2026-03-02 website 2h 15m
2026-03-02 support 45m
2026-03-03 website 3h
`;

test("a sheet is added up by project", () => {
  assert.equal(renderReport(parseTimesheet(SHEET)), ["support       45m", "website    5h 15m", "total          6h"].join("\n"));
});
