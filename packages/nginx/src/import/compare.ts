import type { ImportDifference } from '@nxmesh/model/import'
import type { NormalForm } from './normal-form.ts'

/** The statements that only one of two configurations has, block by block. */
export function differencesOf(before: NormalForm, after: NormalForm): ImportDifference[] {
  const contexts = new Set([...before.keys(), ...after.keys()])
  return [...contexts].flatMap((context): ImportDifference[] => {
    const [had, has] = [before.get(context), after.get(context)]
    // A block without statements is something, too.
    if (had === undefined && has?.length === 0) return [{ context, change: 'added', directive: '' }]
    if (has === undefined && had?.length === 0) return [{ context, change: 'removed', directive: '' }]
    return [
      ...without(had ?? [], has ?? []).map((directive) => ({ context, change: 'removed' as const, directive })),
      ...without(has ?? [], had ?? []).map((directive) => ({ context, change: 'added' as const, directive })),
    ]
  })
}

function without(all: readonly string[], gone: readonly string[]): string[] {
  const left = new Map<string, number>()
  for (const statement of gone) left.set(statement, (left.get(statement) ?? 0) + 1)
  return all.filter((statement) => {
    const count = left.get(statement) ?? 0
    if (count > 0) left.set(statement, count - 1)
    return count === 0
  })
}
