import { invalid } from '@nxmesh/api/errors'
import { mergePatch } from '@nxmesh/api/merge-patch'
import { problemsOf } from '@nxmesh/api/problems'
import type { z } from 'zod'

/** Applies a merge patch to the editable part of a resource and checks the result as a whole; throws VALIDATION_ERROR. */
export function patched<S extends z.ZodType>(schema: S, before: unknown, patch: unknown): z.output<S> {
  const result = schema.safeParse(mergePatch(before, patch))
  if (!result.success) throw invalid(problemsOf(result.error))
  return result.data
}
