/** Writes protobuf's wire format. Source: protobuf.dev/programming-guides/encoding. */
export interface ProtoWriter {
  /** A whole number from 0 up to 2^53. */
  integer(field: number, value: number): void
  double(field: number, value: number): void
  text(field: number, value: string): void
  bytes(field: number, value: Uint8Array): void
  /** Begins a message inside this one; `close` ends the one that `open` returned. */
  open(field: number): number
  close(place: number): void
  /** What was written, in memory of its own. */
  take(): Uint8Array<ArrayBuffer>
}

const [varintType, doubleType, lengthType] = [0, 1, 2] as const
// Room for the length of a message, which is known only at its end: enough for two megabytes.
const lengthRoom = 3

export function protoWriter(): ProtoWriter {
  let memory = Buffer.allocUnsafe(1 << 14)
  let at = 0

  function room(more: number) {
    if (at + more <= memory.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * memory.length, at + more))
    memory.copy(larger, 0, 0, at)
    memory = larger
  }

  function varint(value: number) {
    room(10)
    let left = value
    while (left >= 0x80) {
      memory[at++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    memory[at++] = left
  }

  const tag = (field: number, type: number) => varint(field * 8 + type)

  return {
    integer(field, value) {
      tag(field, varintType)
      varint(value)
    },
    double(field, value) {
      tag(field, doubleType)
      room(8)
      at = memory.writeDoubleLE(value, at)
    },
    text(field, value) {
      tag(field, lengthType)
      // Most texts are short: their length has one byte, whatever characters they hold.
      if (value.length * 3 < 0x80) {
        room(value.length * 3 + 1)
        const written = memory.write(value, at + 1, 'utf8')
        memory[at] = written
        at += written + 1
        return
      }
      const length = Buffer.byteLength(value)
      varint(length)
      room(length)
      at += memory.write(value, at, 'utf8')
    },
    bytes(field, value) {
      tag(field, lengthType)
      varint(value.length)
      room(value.length)
      memory.set(value, at)
      at += value.length
    },
    open(field) {
      tag(field, lengthType)
      room(lengthRoom)
      const place = at
      at += lengthRoom
      return place
    },
    close(place) {
      const length = at - place - lengthRoom
      if (length >= 1 << (7 * lengthRoom)) throw new RangeError(`a message of ${length} bytes inside another one`)
      // Longer than need be, which readers have to take.
      memory[place] = (length & 0x7f) | 0x80
      memory[place + 1] = ((length >> 7) & 0x7f) | 0x80
      memory[place + 2] = length >> 14
    },
    take: () => new Uint8Array(memory.subarray(0, at)),
  }
}
