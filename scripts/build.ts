/**
 * `npm run build [-- DIR]`: our sources and the libraries that a start reads, as a few files in dist/. Reading hundreds of modules one by one
 * is most of what a start takes. Nothing else changes: prompts and migrations are read from where they lie in src/, the other
 * libraries from node_modules/, and bin/pullwright takes the sources again as soon as one of them is newer.
 */
import { readFile, rename, rm } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { type Plugin, rolldown } from "rolldown";

const root = join(import.meta.dirname, "..");
const dist = resolve(process.argv[2] ?? join(root, "dist"));
/** Renamed when it is whole, so that no start sees half of it. */
const made = `${dist}.${process.pid}`;

/** With what they need themselves. All others are loaded when they are used, or have files of their own beside their code. */
const BUNDLED = new Set(["@anthropic-ai/sdk", "execa", "openai", "simple-git", "yaml", "zod"]);

/** A module that asks where it is gets the place of its source. */
const atHome: Plugin = {
  name: "at-home",
  transform(code, id) {
    if (!/\bimport\.meta\.url\b/.test(code)) return null;
    const home = JSON.stringify(relative(dist, id));
    return { code: code.replaceAll(/\bimport\.meta\.url\b/g, `new URL(${home}, import.meta.url).href`), map: null };
  },
};

const { dependencies, optionalDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const external = Object.keys({ ...dependencies, ...optionalDependencies }).filter((name) => !BUNDLED.has(name));
const bundle = await rolldown({
  input: join(root, "bin/start.mjs"),
  platform: "node",
  external: (id) => external.some((name) => id === name || id.startsWith(`${name}/`)),
  plugins: [atHome],
});
try {
  const names = { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" };
  // Lines and names stay, for the stack of a defect. Comments are a third, and text beyond ASCII would be kept as two bytes a character.
  const minify = { compress: false, mangle: false, codegen: { removeWhitespace: false, asciiOnly: true } };
  await bundle.write({ dir: made, format: "esm", comments: false, minify, ...names });
  await rm(dist, { recursive: true, force: true });
  await rename(made, dist);
} finally {
  await bundle.close();
  await rm(made, { recursive: true, force: true });
}
