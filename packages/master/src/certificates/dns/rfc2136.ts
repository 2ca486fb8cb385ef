import { randomInt } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Rfc2136Settings } from '@nxmesh/model/dns-provider'
import { troubleOf } from '../../outbound/trouble.ts'
import type { DnsOutcome, DnsParts, DnsProvider, TxtRecord } from './provider.ts'
import { isSigned, sign, type TsigKey } from './tsig.ts'
import { classes, decodedReply, encodedRecord, encodedText, encodedUpdate, type Reply, types, u16 } from './wire.ts'

const ttl = 60
const deadline = 10_000

const refusals: Record<number, string> = {
  1: 'could not read the update (FORMERR)',
  2: 'failed (SERVFAIL)',
  4: 'takes no updates (NOTIMP)',
  5: 'refuses the update (REFUSED): its policy must allow the key to change TXT records of this name',
  9: 'does not take the update (NOTAUTH): it does not hold the zone, or does not take the key',
  10: 'says that the name is not in the zone (NOTZONE)',
}

// What is wrong with the key, by the error of a signature.
const keyErrors: Record<number, string> = {
  16: 'says that the secret of the key is another (BADSIG)',
  17: 'does not know the key or uses another algorithm for it (BADKEY)',
  18: 'has a clock that differs too much from that of the master (BADTIME)',
}

/** Updates a server of one’s own by signed UPDATE messages. */
export function openRfc2136(settings: Rfc2136Settings, { outbound, resolver, now }: DnsParts): DnsProvider {
  const { host, port } = placeOf(settings.server)
  const key: TsigKey = { name: settings.tsig_name, algorithm: settings.tsig_algorithm, secret: Buffer.from(settings.tsig_secret, 'base64') }

  async function update(name: string, record: Buffer): Promise<DnsOutcome> {
    const found = settings.zone === null ? await resolver.zoneOf(name) : { ok: true as const, zone: settings.zone }
    if (!found.ok) return { ...found, retry: true }
    const id = randomInt(65_536)
    const signed = sign(encodedUpdate(id, found.zone, record), key, now())
    const signal = AbortSignal.timeout(deadline)
    let answer: Buffer
    try {
      answer = await exchange(await outbound.connect(host, port, signal), signed.message, signal)
    } catch (error) {
      const trouble = signal.aborted ? `no answer within ${deadline / 1000} s` : troubleOf(error)
      return { ok: false, message: `${settings.server}: ${trouble}`, retry: true }
    }
    const reply = read(answer)
    if (reply?.id !== id) return { ok: false, message: `${settings.server} answers something that is no DNS`, retry: true }
    return judged(reply, reply.tsig !== undefined && isSigned(answer, reply.tsig, key, signed.mac, now()))
  }

  function judged({ rcode, tsig }: Reply, authentic: boolean): DnsOutcome {
    if (rcode === 0 && authentic) return { ok: true }
    if (rcode === 0) return { ok: false, message: `the answer of ${settings.server} is not signed by the key`, retry: true }
    const why = keyErrors[tsig?.error ?? 0] ?? refusals[rcode] ?? `refuses the update (code ${rcode})`
    return { ok: false, message: `${settings.server} ${why}`, retry: rcode === 2 }
  }

  const changed = ({ name, value }: TxtRecord, is: { class: number; ttl: number }) =>
    update(name, encodedRecord({ name, type: types.txt, ...is, data: encodedText(value) }))
  return {
    present: (record) => changed(record, { class: classes.in, ttl }),
    cleanup: (record) => changed(record, { class: classes.none, ttl: 0 }),
  }
}

/** Where a server is: 53 is the port of DNS. */
export function placeOf(server: string): { host: string; port: number } {
  const [, host = '', port = '53'] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(server) ?? []
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

// Over TCP the length goes before each message.
async function exchange(socket: Socket, message: Buffer, signal: AbortSignal): Promise<Buffer> {
  try {
    socket.write(Buffer.concat([u16(message.length), message]))
    let received = Buffer.alloc(0)
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      received = Buffer.concat([received, chunk])
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) return received.subarray(2, 2 + received.readUInt16BE(0))
    }
    signal.throwIfAborted()
    throw new Error('the connection ended without an answer')
  } finally {
    socket.destroy()
  }
}

function read(answer: Buffer): Reply | undefined {
  try {
    return decodedReply(answer)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
