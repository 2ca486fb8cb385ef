import { createHash } from 'node:crypto'
import { canonicalJson } from '@nxmesh/model/digest'
import type { RenderedFile } from './target.ts'

/** SHA-256 of each file's bytes in hexadecimal, by path. */
export function hashesOf(files: readonly Pick<RenderedFile, 'path' | 'text'>[]): Record<string, string> {
  return Object.fromEntries(files.map((file) => [file.path, hashOf(file.text)]))
}

/** SHA-256 in hexadecimal. */
export function hashOf(bytes: string | Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** One SHA-256 over the hashes of all files: two generations with the same one hold the same bytes under the same paths. */
export function checksumOf(hashes: Record<string, string>): string {
  return hashOf(canonicalJson(hashes))
}
