import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { replaceFile } from '../../files.ts'
import type { Signal } from './setting.ts'

const count = z.number().int().min(0)

const schema = z.object({
  /** By table, the number of the last row that was exported, refused or skipped. */
  after: z.record(z.string(), count),
  exported: count,
  refused: count,
  skipped: count,
})

/** How far the export of a signal has come. */
export type Progress = z.infer<typeof schema>

/** Reads the progress of a signal; undefined where there is none yet. Throws where it cannot be understood. */
export function readProgress(directory: string, signal: Signal): Progress | undefined {
  let text: string
  try {
    text = readFileSync(fileOf(directory, signal), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return schema.parse(JSON.parse(text))
}

/** Replaces it; it is on the disk when this resolves. */
export function saveProgress(directory: string, signal: Signal, progress: Progress): Promise<void> {
  return replaceFile(fileOf(directory, signal), JSON.stringify(progress), 0o600)
}

/** Removes what a process left that was killed while it wrote. */
export function removeDrafts(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (/^otlp-\w+\.json\.[0-9a-f]+$/.test(name)) rmSync(join(directory, name), { force: true })
  }
}

function fileOf(directory: string, signal: Signal): string {
  return join(directory, `otlp-${signal}.json`)
}
