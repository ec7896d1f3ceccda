/** The symbols of a syntax tree, by one walk that never looks inside functions. */
import type { Node, Tree, TreeCursor } from "web-tree-sitter";
import { OPAQUE, WRAPPERS, type Grammar } from "./outline-grammars.ts";
import type { Symbol } from "./outline.ts";

/** A file with more is data or generated. */
const SYMBOLS_MAX = 3000;
const STEPS_MAX = 500_000;
const NAME_CHARS_MAX = 100;

type Open = { readonly wrapperRow: number | null; readonly names: readonly string[] };

export function readTree(tree: Tree, { leaves, holders }: Grammar): readonly Symbol[] {
  const cursor = tree.walk();
  try {
    const found: Symbol[] = [];
    const stack: Open[] = [];
    let open: Open = { wrapperRow: null, names: [] };
    for (let steps = 0; steps < STEPS_MAX && found.length < SYMBOLS_MAX; steps++) {
      const type = cursor.nodeType;
      const isNamed = cursor.nodeIsNamed;
      let inside: Open = { ...open, wrapperRow: null };
      if (isNamed && WRAPPERS.has(type)) inside = { ...open, wrapperRow: open.wrapperRow ?? cursor.startPosition.row };
      if (isNamed && (leaves.has(type) || holders.has(type))) {
        const one = symbolOf(cursor.currentNode, open);
        if (one) {
          found.push(one.symbol);
          inside = { wrapperRow: null, names: one.names };
        }
      }
      if (isNamed && !leaves.has(type) && !OPAQUE.has(type) && cursor.gotoFirstChild()) {
        stack.push(open);
        open = inside;
        continue;
      }
      const next = goOn(cursor, { stack, open });
      if (!next) break;
      open = next;
    }
    return found;
  } finally {
    cursor.delete();
  }
}

/** To the next node that is not below this one; null at the end. */
function goOn(cursor: TreeCursor, { stack, open }: { readonly stack: Open[]; readonly open: Open }): Open | null {
  let now = open;
  while (!cursor.gotoNextSibling()) {
    const above = stack.pop();
    if (above === undefined || !cursor.gotoParent()) return null;
    now = above;
  }
  return now;
}

function symbolOf(node: Node, open: Open): { readonly symbol: Symbol; readonly names: readonly string[] } | null {
  const named = nameOf(node);
  if (named === null) return null;
  // A class that is only named (`class A;`, `struct stat buffer;`) is declared elsewhere.
  if (/^(class|struct|union|enum)_specifier$/.test(node.type) && !node.childForFieldName("body")) return null;
  const names = [...open.names, ...named.text.split(/::|->|[.#]/).filter((part) => part !== "")];
  const first = (open.wrapperRow ?? node.startPosition.row) + 1;
  const { row, column } = node.endPosition;
  const last = Math.max(first, column === 0 ? row : row + 1);
  return { symbol: { name: names.join("."), depth: open.names.length, first, last, line: named.row + 1 }, names };
}

type Named = { readonly text: string; readonly row: number };

function nameOf(node: Node): Named | null {
  const named =
    node.childForFieldName("name") ??
    declared(node) ??
    (node.type === "impl_item" ? node.childForFieldName("type") : null) ??
    node.namedChildren.find(({ type }) =>
      /^(function_name|simple_name|section_name|selectors|keyframes_name|keyword_query|feature_query|binary_query)$/.test(
        type,
      ),
    );
  if (!named) return null;
  const bare = named.text.replace(/\s+/g, " ").replace(/<.*$/, "").slice(0, NAME_CHARS_MAX);
  return {
    text: `${receiverOf(node)}${node.type === "section" ? bare.replace(/^\[|\]\s*$/g, "") : bare}`,
    row: named.startPosition.row,
  };
}

/** C and C++ wrap a name in what is said of it: `*f(int)`. */
function declared(node: Node): Node | null {
  let at = node.childForFieldName("declarator");
  for (let inner = at; inner !== null; inner = inner.childForFieldName("declarator") ?? referenced(inner)) at = inner;
  return at;
}

/** `&f()`: the grammar gives this declarator no field. */
function referenced(node: Node): Node | null {
  return node.type === "reference_declarator" ? node.namedChild(0) : null;
}

/** `func (s *Server) Close()` is Server.Close. */
function receiverOf(node: Node): string {
  const receiver = node.childForFieldName("receiver")?.text ?? "";
  const type = /([A-Za-z_]\w*)\s*(?:\[[^\]]*\])?\s*\)$/.exec(receiver)?.[1];
  return type === undefined ? "" : `${type}.`;
}
