/** A server of an answer. */
export interface Answered {
  /** Its address, four or sixteen bytes. */
  ip: Buffer
  port: number
  weight: number
}

const type = { a: 1, aaaa: 28, srv: 33 } as const
const addressDomain = 'ip.nxmesh'
// The name holds the address, so what it stands for never changes.
const addressTtl = 86_400

/**
 * Answers one question of nginx's resolver (RFC 1035, RFC 2782): SRV for the servers of an upstream, A and AAAA for the names that
 * those answers give their addresses. Undefined where it is better to say nothing: nginx then goes on with what it was told last.
 */
export function answerTo(query: Buffer, serversOf: (name: string) => readonly Answered[] | undefined): Buffer | undefined {
  const question = readQuestion(query)
  if (!question) return undefined
  if (question.type === type.srv) {
    const servers = serversOf(question.name)
    if (!servers || servers.length === 0) return undefined
    return message(
      query,
      question.end,
      // Without a time to live nginx asks anew each second, and with one of a second every other second.
      servers.map((server) => record(type.srv, 0, srvData(server))),
    )
  }
  const ip = addressIn(question.name)
  if (!ip) return undefined
  const wanted = question.type === (ip.length === 4 ? type.a : type.aaaa)
  return message(query, question.end, wanted ? [record(question.type, addressTtl, ip)] : [])
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } | undefined {
  if (query.length < 17 || query.readUInt16BE(4) !== 1) return undefined
  const labels: string[] = []
  let at = 12
  while (at < query.length && query[at] !== 0) {
    const length = query[at]!
    if (length > 63) return undefined
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  if (at + 5 > query.length) return undefined
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function addressIn(name: string): Buffer | undefined {
  const digits = name.endsWith(`.${addressDomain}`) ? name.slice(0, -addressDomain.length - 1) : ''
  return /^([0-9a-f]{8}|[0-9a-f]{32})$/.test(digits) ? Buffer.from(digits, 'hex') : undefined
}

function srvData({ ip, port, weight }: Answered): Buffer {
  const head = Buffer.alloc(6)
  head.writeUInt16BE(weight, 2)
  head.writeUInt16BE(port, 4)
  return Buffer.concat([head, nameBytes(`${ip.toString('hex')}.${addressDomain}`)])
}

function nameBytes(name: string): Buffer {
  return Buffer.concat([...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])), Buffer.from([0])])
}

function record(kind: number, ttl: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12)
  // The name of the question, by reference.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(kind, 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function message(query: Buffer, end: number, records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  // An authoritative answer without error.
  head.writeUInt16BE(0x8400 | (query.readUInt16BE(2) & 0x0100), 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(records.length, 6)
  return Buffer.concat([head, query.subarray(12, end), ...records])
}
