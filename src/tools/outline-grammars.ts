/** Which grammar reads which file, and which nodes of its trees are symbols. Node names are those of @vscode/tree-sitter-wasm 0.3.1. */

export type Grammar = {
  /** `tree-sitter-<wasm>.wasm`. */
  readonly wasm: string;
  /** Symbols that hold no others worth a line: their insides are not looked at. */
  readonly leaves: ReadonlySet<string>;
  /** Symbols that hold others. */
  readonly holders: ReadonlySet<string>;
};

/** What stands around a symbol and belongs to it: a decorator, `export`, `template <...>`. */
export const WRAPPERS: ReadonlySet<string> = new Set([
  ...["export_statement", "lexical_declaration", "ambient_declaration", "decorated_definition", "template_declaration"],
]);

/** Unnamed code and data: what is declared in there is nobody's landmark. */
export const OPAQUE: ReadonlySet<string> = new Set([
  ...["arrow_function", "function_expression", "object", "array", "lambda", "lambda_expression", "closure_expression"],
  ...["comment", "string", "template_string", "func_literal", "anonymous_function", "declaration"],
]);

const SCRIPT = {
  leaves: [
    ...["function_declaration", "generator_function_declaration", "function_signature", "method_definition"],
    ...["abstract_method_signature", "type_alias_declaration", "enum_declaration", "variable_declarator"],
  ],
  holders: ["class_declaration", "abstract_class_declaration", "interface_declaration", "internal_module", "module"],
};
const JAVA = {
  leaves: ["method_declaration", "constructor_declaration", "annotation_type_declaration"],
  holders: ["class_declaration", "interface_declaration", "enum_declaration", "record_declaration"],
};

/** The regex grammar has no files of its own, so nobody asks for it. */
const GRAMMARS: Readonly<Record<string, { readonly leaves: readonly string[]; readonly holders: readonly string[] }>> =
  {
    typescript: SCRIPT,
    tsx: SCRIPT,
    javascript: SCRIPT,
    python: { leaves: ["function_definition"], holders: ["class_definition"] },
    go: { leaves: ["function_declaration", "method_declaration", "type_spec", "const_spec"], holders: [] },
    rust: {
      leaves: [
        ...["function_item", "function_signature_item", "struct_item", "enum_item", "union_item", "type_item"],
        ...["const_item", "static_item", "macro_definition"],
      ],
      holders: ["impl_item", "trait_item", "mod_item"],
    },
    java: JAVA,
    "c-sharp": {
      leaves: [...JAVA.leaves, "property_declaration", "delegate_declaration", "enum_declaration"],
      holders: [
        ...["class_declaration", "interface_declaration", "struct_declaration", "record_declaration"],
        "namespace_declaration",
      ],
    },
    cpp: {
      leaves: ["function_definition", "enum_specifier", "alias_declaration", "preproc_function_def"],
      holders: ["class_specifier", "struct_specifier", "union_specifier", "namespace_definition"],
    },
    ruby: { leaves: ["method", "singleton_method"], holders: ["class", "module"] },
    php: {
      leaves: ["function_definition", "method_declaration"],
      holders: ["class_declaration", "interface_declaration", "trait_declaration", "enum_declaration"],
    },
    css: { leaves: ["rule_set", "keyframes_statement"], holders: ["media_statement"] },
    bash: { leaves: ["function_definition"], holders: [] },
    powershell: {
      leaves: ["function_statement", "class_method_definition", "enum_statement"],
      holders: ["class_statement"],
    },
    ini: { leaves: ["section"], holders: [] },
  };

const ENDINGS: Readonly<Record<string, readonly string[]>> = {
  typescript: ["ts", "mts", "cts"],
  tsx: ["tsx"],
  javascript: ["js", "mjs", "cjs", "jsx"],
  python: ["py", "pyi"],
  go: ["go"],
  rust: ["rs"],
  java: ["java"],
  "c-sharp": ["cs"],
  cpp: ["c", "h", "cc", "cpp", "cxx", "hh", "hpp", "hxx"],
  ruby: ["rb", "rake", "gemspec"],
  php: ["php"],
  css: ["css"],
  bash: ["sh", "bash"],
  powershell: ["ps1", "psm1"],
  ini: ["ini", "cfg", "properties"],
};

/** Null for a language without a grammar. */
export function grammarOf(path: string): Grammar | null {
  const ending = /\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  const wasm = Object.keys(ENDINGS).find((name) => ENDINGS[name]?.includes(ending));
  const types = wasm === undefined ? undefined : GRAMMARS[wasm];
  if (wasm === undefined || types === undefined) return null;
  return { wasm, leaves: new Set(types.leaves), holders: new Set(types.holders) };
}
