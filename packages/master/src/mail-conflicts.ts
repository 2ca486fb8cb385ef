import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { addressesOf, portOf } from '@nxmesh/model/listen-address'
import type { Problem } from '@nxmesh/model/problem'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { type MailListen, mailListens } from '@nxmesh/nginx/mail-directives'
import { takesAll } from '@nxmesh/nginx/shared-sockets'

type Host = VirtualHost | StreamHost

/** The mail servers of the settings, which are on all agents, that have the TCP port of a host. */
export function mailPortConflicts({ settings }: Pick<WorkspaceConfig, 'settings'>, host: Host): Problem[] {
  if (!settings.mail_directives) return []
  const listen = mailListens(settings).find((each) => meets(each, host))
  if (!listen) return []
  const message = `a mail server of the settings (${listen.field}) already has port TCP ${listen.port}${where(listen)}`
  return [{ field: 'listen_port', message, code: 'CONFLICT' }]
}

/** The mail servers of the settings whose TCP port a host has. */
export function settingsPortConflicts({ settings, virtual_hosts, stream_hosts }: WorkspaceConfig): Problem[] {
  if (!settings.mail_directives) return []
  return mailListens(settings).flatMap((listen): Problem[] => {
    const host = virtual_hosts.find((each) => meets(listen, each))
    const stream = host ? undefined : stream_hosts.find((each) => meets(listen, each))
    const [kind, found] = host ? ['virtual host', host] : ['stream host', stream]
    if (!found) return []
    const message = `${kind} "${found.name}" (${found.id}) already has port TCP ${listen.port}${where(listen)}`
    return [{ field: listen.field, message, code: 'CONFLICT' }]
  })
}

/** Each kind of servers has sockets of its own, and the kernel opens no TCP port on all addresses beside a single one. */
function meets(listen: MailListen, host: Host): boolean {
  if (portOf(host) !== listen.port || ('protocol' in host && host.protocol === 'udp')) return false
  return takesAll(listen) || host.listen_addresses === undefined || addressesOf(host).includes(listen.address)
}

function where(listen: MailListen): string {
  return takesAll(listen) ? '' : ` on ${listen.address}`
}
