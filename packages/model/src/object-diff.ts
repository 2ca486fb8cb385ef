import type { z } from 'zod'
import { fieldChanges } from './field-changes.ts'
import type { changedObject, configObject } from './revision.ts'

export type ConfigObject = z.infer<typeof configObject>

export interface ObjectDiff {
  added: ConfigObject[]
  removed: ConfigObject[]
  changed: z.infer<typeof changedObject>[]
}

/** What leads from some objects of a config to others: those that came, those that went, and the fields of the rest that differ. */
export function diffObjects(before: readonly ConfigObject[], after: readonly ConfigObject[]): ObjectDiff {
  const [old, now] = [byKey(before), byKey(after)]
  return {
    added: after.filter((object) => !old.has(keyOf(object))),
    removed: before.filter((object) => !now.has(keyOf(object))),
    changed: after.flatMap((object) => {
      const was = old.get(keyOf(object))
      const fields = was ? fieldChanges(was.content, object.content) : []
      const { kind, id, name } = object
      return fields.length === 0 ? [] : [{ kind, id, name, fields }]
    }),
  }
}

function byKey(objects: readonly ConfigObject[]): Map<string, ConfigObject> {
  return new Map(objects.map((object) => [keyOf(object), object]))
}

function keyOf({ kind, id }: ConfigObject): string {
  return `${kind} ${id}`
}
