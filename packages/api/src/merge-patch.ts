import { z } from 'zod'

type Json = unknown

/** Applies a JSON merge patch to a value: absent keeps, null removes, objects merge, all else replaces (RFC 7396 section 2). */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isObject(patch)) return patch
  const result: Record<string, Json> = isObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else Object.defineProperty(result, key, { value: mergePatch(result[key], value), enumerable: true, configurable: true, writable: true })
  }
  return result
}

/**
 * The schema of a merge patch for what `input` describes: every field may be left out or null, unknown ones are refused.
 * The values themselves are checked once the patch is applied, because they may be partial. `input` stays with the schema as
 * its meta `mergePatchOf`, from which the OpenAPI document shows the fields.
 */
export function patchOf<S extends z.ZodObject>(input: S) {
  const shape = Object.fromEntries(Object.keys(input.shape).map((key) => [key, z.unknown().optional()]))
  return z.strictObject(shape).meta({ mergePatchOf: input }) as unknown as z.ZodType<Patch<z.input<S>>, Patch<z.input<S>>>
}

/** A merge patch of T: every member may be left out, or null to clear it, and so in objects inside it; lists are whole. */
export type Patch<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: Patch<T[K]> | null } : T

function isObject(value: Json): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
