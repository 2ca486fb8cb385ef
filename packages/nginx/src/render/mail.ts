import { everyAddress, portOf } from '@nxmesh/model/listen-address'
import type { Settings } from '@nxmesh/model/settings'
import { type MailListen, mailListensOf } from '../mail-directives.ts'
import { parse } from '../parse.ts'
import { takesAll } from '../shared-sockets.ts'
import { addressesAt, type PlannedPort } from './plan.ts'
import { type CustomStatement, readCustomDirectives } from './read-custom.ts'
import { type Report, reportOnSettings } from './report.ts'
import { writeSettings } from './settings.ts'
import type { PlannedStream } from './stream/plan.ts'
import type { Listen, RenderTarget } from './target.ts'
import { ConfigWriter } from './writer.ts'

/** What the mail block can hold on this host. */
export interface PlannedMail {
  statements: readonly CustomStatement[]
  listens: Listen[]
}

interface Others {
  ports: readonly PlannedPort[]
  streams: readonly PlannedStream[]
}

/** Decides which servers of the settings' mail block can be served; the others are reported as errors and left out. Undefined where none is. */
export function planMail({ mail_directives }: Settings, target: RenderTarget, others: Others, report: Report): PlannedMail | undefined {
  if (!mail_directives) return undefined
  const obstacle = obstacleOnHost(target)
  if (obstacle !== undefined) {
    reportOnSettings(report, 'error', 'mail_directives', `is left out: ${obstacle}`)
    return undefined
  }
  const leaveOut = (field: string, message: string) => reportOnSettings(report, 'error', fieldOf(field), `is left out: ${message}`)
  const read = readCustomDirectives({ custom_directives: {}, extra_directives: mail_directives }, 'mail', leaveOut)
  const listens: Listen[] = []
  const statements = read.statements.filter((statement) => {
    if (statement.name !== 'server') return true
    const own = listensIn(statement)
    // It comes back with the configuration that this one is on the way to.
    if (own.some(({ port }) => target.reuseport?.some((socket) => socket.port === port))) return false
    const reason = own.map((listen) => absence(listen, target) ?? rivalOf(listen, others)).find((each) => each !== undefined)
    if (reason !== undefined) leaveOut(statement.field, reason)
    else listens.push(...own.map(({ port, address }): Listen => ({ port, address, transport: 'tcp' })))
    return reason === undefined
  })
  if (listens.length === 0) return undefined
  return { statements: statements.map((statement) => ({ ...statement, field: fieldOf(statement.field) })), listens }
}

/** Writes what stands in the mail block. Source: nginx mail core module. */
export function renderMail({ digest }: RenderTarget, { statements }: PlannedMail): ConfigWriter {
  const writer = new ConfigWriter()
  writer.line(`# Written by NxMesh for ${digest}: changes made here are lost with the next configuration.`)
  writeSettings(writer, statements, '')
  return writer
}

function fieldOf(field: string): string {
  return field.replace(/^extra_directives/, 'mail_directives')
}

function listensIn({ text }: CustomStatement): MailListen[] {
  const parsed = parse(text)
  return parsed.ok ? parsed.tree.directives.flatMap(mailListensOf) : []
}

function obstacleOnHost({ mode, facts: { supports, version } }: RenderTarget): string | undefined {
  if (mode === 'include')
    return "NxMesh is only included in the http block of the host's nginx.conf, where mail servers cannot stand; let the agent own nginx"
  return supports.mail ? undefined : `nginx ${version} here has no mail module; Debian's is libnginx-mod-mail`
}

function absence({ address }: MailListen, { absent_addresses = [], ipv6 }: RenderTarget): string | undefined {
  if (address.includes(':') && !ipv6) return 'this machine has no IPv6'
  return absent_addresses.includes(address) ? `this machine does not have the address ${address}` : undefined
}

/** Who has its socket: each kind of servers has sockets of its own, and the kernel opens no TCP port on all addresses beside a single one. */
function rivalOf(listen: MailListen, { ports, streams }: Others): string | undefined {
  const takes = (addresses: readonly string[]) =>
    addresses.length > 0 && (takesAll(listen) || addresses.includes(everyAddress) || addresses.includes(listen.address))
  const words = `port TCP ${listen.port} already`
  if (ports.some((port) => port.port === listen.port && takes(addressesAt(port)))) return `a virtual host has ${words}`
  const stream = streams.find(({ host, addresses }) => host.protocol === 'tcp' && portOf(host) === listen.port && takes(addresses))
  return stream && `"${stream.host.name}" has ${words}`
}
