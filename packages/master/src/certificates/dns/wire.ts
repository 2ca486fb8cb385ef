/** Types and classes of DNS that an update needs. */
export const types = { soa: 6, txt: 16, tsig: 250 } as const
export const classes = { in: 1, none: 254, any: 255 } as const

export interface Reply {
  id: number
  rcode: number
  tsig: TsigRecord | undefined
}

export interface TsigRecord {
  /** Where it begins: what is before was signed. */
  at: number
  name: string
  algorithm: string
  time: number
  fudge: number
  mac: Buffer
  originalId: number
  error: number
  other: Buffer
}

/** A name as it is sent: in lower case, as signatures need it, and uncompressed. */
export function encodedName(name: string): Buffer {
  const labels = name
    .toLowerCase()
    .split('.')
    .filter((label) => label !== '')
  return Buffer.concat([...labels.map((label) => Buffer.concat([u8(label.length), Buffer.from(label, 'latin1')])), u8(0)])
}

/** The data of a TXT record: strings of up to 255 bytes. */
export function encodedText(text: string): Buffer {
  const bytes = Buffer.from(text)
  const strings: Buffer[] = []
  for (let at = 0; at < bytes.length || at === 0; at += 255) {
    const part = bytes.subarray(at, at + 255)
    strings.push(u8(part.length), part)
  }
  return Buffer.concat(strings)
}

export function encodedRecord(record: { name: string; type: number; class: number; ttl: number; data: Buffer }): Buffer {
  const { name, type, ttl, data } = record
  return Buffer.concat([encodedName(name), u16(type), u16(record.class), u32(ttl), u16(data.length), data])
}

/** An UPDATE of one record (RFC 2136), not signed yet. */
export function encodedUpdate(id: number, zone: string, record: Buffer): Buffer {
  const opcode = 5 << 11
  const header = [u16(id), u16(opcode), u16(1), u16(0), u16(1), u16(0)]
  return Buffer.concat([...header, encodedName(zone), u16(types.soa), u16(classes.in), record])
}

/** Reads what a server answers to an update. Throws a RangeError where it ends too early. */
export function decodedReply(bytes: Buffer): Reply {
  const count = (at: number) => bytes.readUInt16BE(at)
  let at = 12
  for (let left = count(4); left > 0; left--) at = nameAt(bytes, at).end + 4
  let tsig: TsigRecord | undefined
  for (let left = count(6) + count(8) + count(10); left > 0; left--) {
    const { name, end } = nameAt(bytes, at)
    // A signature is the last of all records.
    if (count(end) === types.tsig && left === 1) tsig = tsigAt(bytes, at, name, end + 10)
    at = end + 10 + count(end + 8)
  }
  return { id: count(0), rcode: count(2) & 15, tsig }
}

function tsigAt(bytes: Buffer, at: number, name: string, data: number): TsigRecord {
  const { name: algorithm, end } = nameAt(bytes, data)
  const size = bytes.readUInt16BE(end + 8)
  const rest = end + 10 + size
  const otherSize = bytes.readUInt16BE(rest + 4)
  if (rest + 6 + otherSize > bytes.length) throw new RangeError('it ends too early')
  return {
    at,
    name,
    algorithm,
    time: bytes.readUIntBE(end, 6),
    fudge: bytes.readUInt16BE(end + 6),
    mac: bytes.subarray(end + 10, rest),
    originalId: bytes.readUInt16BE(rest),
    error: bytes.readUInt16BE(rest + 2),
    other: bytes.subarray(rest + 6, rest + 6 + otherSize),
  }
}

function nameAt(bytes: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  let end: number | undefined
  for (let hops = 0; hops < 128; hops++) {
    const length = bytes.readUInt8(at)
    if (length >= 192) {
      end ??= at + 2
      at = bytes.readUInt16BE(at) & 0x3fff
    } else if (length === 0) {
      return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 }
    } else {
      labels.push(bytes.toString('latin1', at + 1, at + 1 + length))
      at += length + 1
    }
  }
  throw new RangeError('it holds a name without an end')
}

function u8(value: number): Buffer {
  return Buffer.from([value])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function u48(value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(value, 0, 6)
  return bytes
}
