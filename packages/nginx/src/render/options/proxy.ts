import type { ProxyOptions } from '@nxmesh/model/options/proxy'
import { line, type OptionLine, secondsLine } from './line.ts'

/** By which protocols the upstreams of a place are asked. */
export interface Speaks {
  http: boolean
  grpc: boolean
}

/** Source: nginx proxy and grpc modules. */
export function proxyLines(proxy: ProxyOptions, { http, grpc }: Speaks): OptionLine[] {
  return [
    ...(http ? [...timeLines('proxy', proxy), ...pipeLines(proxy), ...bufferLines(proxy.buffers)] : []),
    ...(grpc ? [...timeLines('grpc', proxy), ...line('proxy.buffers', 'grpc_buffer_size', proxy.buffers?.size)] : []),
  ]
}

function timeLines(word: 'proxy' | 'grpc', proxy: ProxyOptions): OptionLine[] {
  return [
    ...secondsLine('proxy.connect_timeout', `${word}_connect_timeout`, proxy.connect_timeout),
    ...secondsLine('proxy.send_timeout', `${word}_send_timeout`, proxy.send_timeout),
    ...secondsLine('proxy.read_timeout', `${word}_read_timeout`, proxy.read_timeout),
  ]
}

function pipeLines(proxy: ProxyOptions): OptionLine[] {
  return [
    ...line('proxy.buffering', 'proxy_buffering', proxy.buffering),
    ...line('proxy.request_buffering', 'proxy_request_buffering', proxy.request_buffering),
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
