import { join } from 'node:path'
import type { Marks } from '@nxmesh/nginx/health-marks'
import { type DataPaths, replaceFile } from '../durable.ts'
import { readListsByName } from '../lists-by-name.ts'

/** Which servers get no requests because they fail their checks. */
export interface MarkStore {
  readonly current: Marks
  /** Holds from now on, and for the next start of the agent once it is on the disk. */
  change(marks: Marks): void
  /** Waits until the disk has what was changed, or cannot take it. */
  flush(): Promise<void>
}

export async function openMarks({ data }: Pick<DataPaths, 'data'>): Promise<MarkStore> {
  const path = join(data, 'health-marks.json')
  let current: Marks = await readListsByName(path)
  let saved: Marks = current
  let saving: Promise<void> | undefined

  // One write at a time, so that the disk ends with the newest.
  async function save(): Promise<void> {
    while (saved !== current) {
      saved = current
      // What a full disk loses is found out again by the first checks after a restart.
      await replaceFile(path, JSON.stringify(saved)).catch(() => undefined)
    }
    saving = undefined
  }

  return {
    get current() {
      return current
    },
    change(marks) {
      current = marks
      saving ??= save()
    },
    flush: async () => saving,
  }
}
