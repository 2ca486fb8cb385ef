import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Counters } from './counters.ts'

/** A part of a log that goes out as one batch, until the master has it. Where it begins and ends never changes again. */
export interface Cut {
  sequence: number
  file: string
  /** What the log is known by, in whatever file it is by now; absent where it had no whole line. */
  head?: string | undefined
  start: number
  end: number
  lines: number
}

/** How far a log has been read. */
export interface Progress {
  spool: string
  /** The number of the last cut. */
  last: number
  /** Where the next one begins; absent before the first. */
  place: Place | null
  cuts: Cut[]
  /** Lines that were let go because there was no room for them, or that were gone when they were to be read. */
  dropped: number
  /** The heads of the logs that were read last, so that a copy of one is not taken for a new one. */
  read?: string[]
}

/** A place in a log. */
export interface Place {
  file: string
  head?: string | undefined
  offset: number
  /** What has not changed after that, in milliseconds since the epoch, was read or is none of ours. */
  since?: number
}

/** What is known of all that was read. The counters are those of the lines before each `place`, so the two can never disagree. */
export interface Checkpoint {
  /** When it was written, in milliseconds since the epoch. */
  at: number
  access: Progress
  error: Progress
  counters: Counters
  metrics: { spool: string; stored: number }
}

/** The checkpoint in a file; a new one, with new spools, where there is none that can be read. */
export function loadCheckpoint(path: string): Checkpoint {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Checkpoint
  } catch {
    const progress = (): Progress => ({ spool: randomUUID(), last: 0, place: null, cuts: [], dropped: 0 })
    return { at: 0, access: progress(), error: progress(), counters: {}, metrics: { spool: randomUUID(), stored: 0 } }
  }
}

/** Replaces the checkpoint; it is on the disk when this returns. Throws where it cannot be written, and the one before stays. */
export function saveCheckpoint(path: string, checkpoint: Checkpoint): void {
  const next = `${path}.tmp`
  const file = openSync(next, 'w', 0o600)
  try {
    writeFileSync(file, JSON.stringify(checkpoint))
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(next, path)
  const directory = openSync(dirname(path), 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
