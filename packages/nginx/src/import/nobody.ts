import { listensOf, type Port, placeOf } from './listen.ts'
import { namesOf } from './names.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'

const about = new Set(['listen', 'server_name', 'ssl', 'http2', 'http3', 'ssl_certificate', 'ssl_certificate_key', 'access_log'])

/** Tells whether a server rejects the TLS handshakes of whoever names no other, as NxMesh does by itself on each port. */
export function rejectsStrangers(server: SourceDirective, ports: ReadonlyMap<string, Port>): boolean {
  const rejects = server.block!.some(({ name, args }) => name === 'ssl_reject_handshake' && args[0] === 'on')
  if (!rejects || namesOf(server).names.length > 0) return false
  const places = listensOf(server).map((listen) => ports.get(placeOf(listen))!)
  return places.every(({ tls, defaultServer }) => !tls || defaultServer === server)
}

/** Tells whether a server only turns away whoever names no other, as NxMesh does by itself on each port. */
export function answersNobody(server: SourceDirective, ports: ReadonlyMap<string, Port>): boolean {
  if (namesOf(server).names.length > 0) return false
  const own = listensOf(server)
  if (own.length === 0 || !own.every((listen) => ports.get(placeOf(listen))!.defaultServer === server)) return false
  const says = server.block!.filter(({ name, args }) => !about.has(name) && replacedBecause(name, args) === undefined)
  const closes = (name: string, value: string) => says.some((directive) => directive.name === name && directive.args[0] === value)
  return (
    says.length > 0 &&
    says.every(({ name }) => name === 'return' || name === 'ssl_reject_handshake') &&
    (closes('return', '444') || closes('ssl_reject_handshake', 'on'))
  )
}
