import type { ProxyOptions } from '@nxmesh/model/options/proxy'
import { line, type OptionLine, secondsLine } from './line.ts'

/** Source: nginx proxy module. */
export function proxyLines(proxy: ProxyOptions): OptionLine[] {
  return [
    ...secondsLine('proxy.connect_timeout', 'proxy_connect_timeout', proxy.connect_timeout),
    ...secondsLine('proxy.send_timeout', 'proxy_send_timeout', proxy.send_timeout),
    ...secondsLine('proxy.read_timeout', 'proxy_read_timeout', proxy.read_timeout),
    ...line('proxy.buffering', 'proxy_buffering', proxy.buffering),
    ...line('proxy.request_buffering', 'proxy_request_buffering', proxy.request_buffering),
    ...bufferLines(proxy.buffers),
  ]
}

// nginx wants the three in relation to each other, and refuses one alone that does not fit its own values of the others.
function bufferLines(buffers: ProxyOptions['buffers']): OptionLine[] {
  if (!buffers) return []
  const { number, size } = buffers
  const busy = `${2 * Number.parseInt(size, 10)}${size.at(-1)}`
  return [
    ...line('proxy.buffers', 'proxy_buffer_size', size),
    ...line('proxy.buffers', 'proxy_buffers', `${number} ${size}`),
    ...line('proxy.buffers', 'proxy_busy_buffers_size', busy),
  ]
}
