/** The grammar that holds a model to patch/'s format while it writes. V4A as codex speaks it, in our own words. */
export const APPLY_PATCH_GRAMMAR = `start: "*** Begin Patch" LF file+ "*** End Patch" LF?

file: added | deleted | updated

added: "*** Add File: " REST LF plus+
deleted: "*** Delete File: " REST LF
updated: "*** Update File: " REST LF moved? chunks?

moved: "*** Move to: " REST LF
chunks: (anchor | line)+ last?
anchor: ("@@" | "@@ " REST) LF
line: ("+" | "-" | " ") REST? LF
plus: "+" REST? LF
last: "*** End of File" LF

REST: /(.+)/

%import common.LF
`;
