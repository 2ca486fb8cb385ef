import type { FieldChange } from './revision.ts'

/**
 * The fields in which two JSON values differ, as dotted paths in the order of the fields. Lists are compared element by
 * element; what is on one side only is shown whole.
 */
export function fieldChanges(before: unknown, after: unknown, field = ''): FieldChange[] {
  if (isParent(before) && isParent(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) => fieldChanges(own(before, key), own(after, key), field === '' ? key : `${field}.${key}`))
  }
  if (isEqual(before, after)) return []
  return [{ field, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }]
}

/** Whether two JSON values are equal; members that are undefined count as absent. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (!isParent(a) || !isParent(b)) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => isEqual(own(a, key), own(b, key)))
}

type Parent = Record<string, unknown>

function isParent(value: unknown): value is Parent {
  return typeof value === 'object' && value !== null
}

function own(parent: Parent, key: string): unknown {
  return Object.hasOwn(parent, key) ? parent[key] : undefined
}
