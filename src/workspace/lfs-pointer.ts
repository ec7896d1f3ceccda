/** What Git LFS commits in place of a file: git-lfs's docs/spec.md, "The Pointer". Pointers with extensions are none here. */

export type LfsObject = {
  /** SHA-256 of what the file holds, in hex. */
  readonly oid: string;
  readonly bytes: number;
};

/** The specification's limit. */
export const POINTER_BYTES_MAX = 1024;

const POINTER = /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n$/;

/** Null for what is no pointer. */
export function readPointer(text: string): LfsObject | null {
  const [, oid, size] = POINTER.exec(text) ?? [];
  return oid === undefined ? null : { oid, bytes: Number(size) };
}

export function renderPointer({ oid, bytes }: LfsObject): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${bytes}\n`;
}
