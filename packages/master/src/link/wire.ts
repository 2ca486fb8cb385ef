/** Reads the wire format of protocol buffers in place, for what is too much to be made into objects. Throws where bytes are missing. */
export class WireReader {
  readonly bytes: Buffer
  at: number
  end: number
  /** The number and the wire type of the field that `next` found. */
  field = 0
  type = 0

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.at = start
    this.end = end
  }

  /** Goes to the next field; false at the end. */
  next(): boolean {
    if (this.at >= this.end) return false
    const tag = this.varint()
    this.field = Math.floor(tag / 8)
    this.type = tag % 8
    if (this.field === 0) throw new Error('field 0')
    return true
  }

  /** A varint as a number: exact up to 2^53, and negative for a negative int64. */
  varint(): number {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.at >= this.end) throw new Error('cut short')
      const byte = this.bytes[this.at++]!
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high = bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) return (high | 0) * 4_294_967_296 + (low >>> 0)
    }
    throw new Error('a varint without an end')
  }

  /** Goes over the length of a field of bytes; returns where they end. */
  span(): number {
    if (this.type !== 2) throw new Error('no bytes')
    const length = this.varintAsLength()
    return this.at + length
  }

  private varintAsLength(): number {
    const length = this.varint()
    const end = this.at + length
    if (length < 0 || end > this.end) throw new Error('cut short')
    return length
  }

  skip(): void {
    switch (this.type) {
      case 0:
        this.varint()
        return
      case 1:
        this.jump(8)
        return
      case 2:
        this.jump(this.varintAsLength())
        return
      case 5:
        this.jump(4)
        return
      default:
        throw new Error('a group, or no wire type')
    }
  }

  private jump(length: number) {
    this.at += length
    if (this.at > this.end) throw new Error('cut short')
  }
}
