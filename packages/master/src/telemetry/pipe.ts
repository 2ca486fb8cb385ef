import type { Batch } from './batch.ts'

// Batches go through a pipe of their own: the channel that Node gives a child copies what it carries several times, which was nearly
// half of the main process's work.

const preamble = 8

/** What goes before the bytes of a batch: how long what follows is, and all that is known of it. */
export function headOf(id: number, { bytes, ...rest }: Batch): Buffer {
  const known = Buffer.from(JSON.stringify({ id, ...rest }))
  const head = Buffer.allocUnsafe(preamble + known.length)
  head.writeUInt32LE(known.length, 0)
  head.writeUInt32LE(bytes.length, 4)
  known.copy(head, preamble)
  return head
}

/** Puts batches together again from however they come through the pipe. */
export function batchReader(onBatch: (id: number, batch: Batch) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let length = 0

  // The first bytes of what has come, in one piece.
  function peek(count: number): Buffer {
    if (parts[0]!.length < count) parts = [Buffer.concat(parts)]
    return parts[0]!
  }

  function next(): boolean {
    if (length < preamble) return false
    const sizes = peek(preamble)
    const end = preamble + sizes.readUInt32LE(0)
    const whole = end + sizes.readUInt32LE(4)
    if (length < whole) return false
    const all = peek(whole)
    const { id, ...rest } = JSON.parse(all.toString('utf8', preamble, end)) as Omit<Batch, 'bytes'> & { id: number }
    onBatch(id, { ...rest, bytes: all.subarray(end, whole) })
    parts[0] = all.subarray(whole)
    if (parts[0].length === 0) parts.shift()
    length -= whole
    return true
  }

  return (chunk) => {
    parts.push(chunk)
    length += chunk.length
    while (next());
  }
}
