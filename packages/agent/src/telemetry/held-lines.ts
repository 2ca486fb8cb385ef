import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Cut } from './checkpoint.ts'

/**
 * The lines of batches that the master does not have yet. A log that is emptied in place takes along what was written after it was copied:
 * what of that was read before is only here.
 */
export interface HeldLines {
  hold(sequence: number, lines: Buffer): void
  /** The lines of a batch, if this process or one before it has them. */
  of(sequence: number): Buffer | undefined
  /** Writes the lines of a batch to the disk, for a later process. */
  keep(sequence: number): void
  release(sequence: number): void
}

/** @param aside Where what is kept goes. @param cuts The batches that the master does not have. */
export function openHeldLines(log: string, aside: string, cuts: readonly Cut[]): HeldLines {
  const stem = `${basename(log)}.batch-`
  const place = (sequence: number) => join(aside, `${stem}${sequence}`)
  const held = new Map<number, Buffer>()
  const kept = new Set<number>()
  for (const name of readdirSync(aside)) {
    if (!name.startsWith(stem)) continue
    const sequence = Number(name.slice(stem.length))
    if (cuts.some((cut) => cut.sequence === sequence)) kept.add(sequence)
    else rmSync(join(aside, name), { force: true })
  }
  return {
    hold: (sequence, lines) => void held.set(sequence, Buffer.from(lines)),
    of: (sequence) => held.get(sequence) ?? (kept.has(sequence) ? readFileSync(place(sequence)) : undefined),
    keep(sequence) {
      const lines = held.get(sequence)
      if (!lines || kept.has(sequence)) return
      writeFileSync(`${place(sequence)}.part`, lines, { mode: 0o600, flush: true })
      renameSync(`${place(sequence)}.part`, place(sequence))
      kept.add(sequence)
    },
    release(sequence) {
      held.delete(sequence)
      if (kept.delete(sequence)) rmSync(place(sequence), { force: true })
    },
  }
}
