import { invalid } from '@nxmesh/api/errors'
import { mergePatch } from '@nxmesh/api/merge-patch'
import { check } from '@nxmesh/api/problems'
import type { z } from 'zod'

/** Applies a merge patch to the editable part of a resource and checks the result as a whole; throws VALIDATION_ERROR. */
export function patched<S extends z.ZodType>(schema: S, before: unknown, patch: unknown): z.output<S> {
  const result = check(schema, mergePatch(before, patch))
  if (!result.ok) throw invalid(result.problems)
  return result.value
}
