import type { ClientOptions } from '@nxmesh/model/options/client'
import { line, type OptionLine, secondsLine } from './line.ts'

/** Source: nginx core module. */
export function clientLines(client: ClientOptions): OptionLine[] {
  return [
    ...line('client.max_body_size', 'client_max_body_size', client.max_body_size),
    ...secondsLine('client.body_timeout', 'client_body_timeout', client.body_timeout),
    ...secondsLine('client.header_timeout', 'client_header_timeout', client.header_timeout),
    ...secondsLine('client.send_timeout', 'send_timeout', client.send_timeout),
    ...secondsLine('client.keepalive_timeout', 'keepalive_timeout', client.keepalive_timeout),
  ]
}
