/** Writes the wire format of protocol buffers, each length in as few bytes as it takes. Source: protobuf.dev/programming-guides/encoding. */
export interface WireWriter {
  /** How much has been written. */
  readonly length: number
  /** Bytes that are encoded already. */
  raw(bytes: Uint8Array): void
  /** A whole number from 0 up to 2^53. */
  varint(field: number, value: number): void
  fixed64(field: number, value: bigint): void
  double(field: number, value: number): void
  text(field: number, value: string): void
  /** A message inside of this one. */
  message(field: number, write: () => void): void
  /** A list of numbers in one field. */
  packed(field: number, values: readonly number[], type: 'fixed64' | 'double'): void
  /** A pair of a key, as `attributeKey` gives it, and a value. */
  attribute(field: number, key: Uint8Array, value: Value): void
  /** What was written; the memory is the writer's. */
  written(): Uint8Array<ArrayBuffer>
}

/** The value of an attribute: a text, a list of texts, a whole number or any number. */
export type Value = string | readonly string[] | { integer: number } | { double: number }

const [varintType, fixed64Type, lengthType] = [0, 1, 2] as const
// What the length of a message may take; its content is moved once that is known.
const lengthRoom = 5
// Fields of AnyValue.
const any = { text: 1, integer: 3, double: 4, list: 5 } as const

/** The first field of a KeyValue. */
export function attributeKey(name: string): Uint8Array {
  const writer = wireWriter(name.length + 10)
  writer.text(1, name)
  return new Uint8Array(writer.written())
}

export function wireWriter(size = 1 << 16): WireWriter {
  let memory = Buffer.allocUnsafeSlow(size)
  let at = 0

  function room(more: number) {
    if (at + more <= memory.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * memory.length, at + more))
    memory.copy(larger, 0, 0, at)
    memory = larger
  }

  function number(value: number) {
    room(10)
    let left = value
    while (left >= 0x80) {
      memory[at++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    memory[at++] = left
  }

  const tag = (field: number, type: number) => number(field * 8 + type)

  function text(field: number, value: string, length = Buffer.byteLength(value)) {
    tag(field, lengthType)
    number(length)
    room(length)
    at += memory.write(value, at, length, 'utf8')
  }

  function double(field: number, value: number) {
    tag(field, fixed64Type)
    room(8)
    at = memory.writeDoubleLE(value, at)
  }

  function message(field: number, write: () => void) {
    tag(field, lengthType)
    room(lengthRoom)
    const begin = at
    at += lengthRoom
    write()
    const length = at - begin - lengthRoom
    memory.copyWithin(begin + sizeOf(length), begin + lengthRoom, at)
    at = begin
    number(length)
    at += length
  }

  function raw(bytes: Uint8Array) {
    room(bytes.length)
    memory.set(bytes, at)
    at += bytes.length
  }

  // Most of what is written: the lengths are reckoned beforehand, so that nothing has to be moved.
  function textAttribute(field: number, key: Uint8Array, value: string) {
    const length = Buffer.byteLength(value)
    const outer = 1 + sizeOf(length) + length
    tag(field, lengthType)
    number(key.length + 1 + sizeOf(outer) + outer)
    raw(key)
    tag(2, lengthType)
    number(outer)
    text(any.text, value, length)
  }

  return {
    get length() {
      return at
    },
    raw,
    varint(field, value) {
      tag(field, varintType)
      number(value)
    },
    fixed64(field, value) {
      tag(field, fixed64Type)
      room(8)
      at = memory.writeBigUInt64LE(value, at)
    },
    double,
    text,
    message,
    packed(field, values, type) {
      tag(field, lengthType)
      number(8 * values.length)
      room(8 * values.length)
      for (const value of values) at = type === 'double' ? memory.writeDoubleLE(value, at) : memory.writeBigUInt64LE(BigInt(value), at)
    },
    attribute(field, key, value) {
      if (typeof value === 'string') return textAttribute(field, key, value)
      message(field, () => {
        raw(key)
        message(2, () => {
          if ('double' in value) double(any.double, value.double)
          else if ('integer' in value) {
            tag(any.integer, varintType)
            number(value.integer)
          } else message(any.list, () => value.forEach((item) => message(1, () => text(any.text, item))))
        })
      })
    },
    written: () => memory.subarray(0, at) as Uint8Array<ArrayBuffer>,
  }
}

function sizeOf(value: number): number {
  let size = 1
  for (let left = value; left >= 0x80; left = Math.floor(left / 0x80)) size++
  return size
}
