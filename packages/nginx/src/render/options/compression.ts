import type { CompressionOptions } from '@nxmesh/model/options/compression'
import { line, type OptionLine } from './line.ts'

const defaultTypes = [
  'application/atom+xml',
  'application/javascript',
  'application/json',
  'application/ld+json',
  'application/manifest+json',
  'application/rss+xml',
  'application/vnd.ms-fontobject',
  'application/wasm',
  'application/xhtml+xml',
  'application/xml',
  'font/otf',
  'font/ttf',
  'image/bmp',
  'image/svg+xml',
  'image/x-icon',
  'text/css',
  'text/javascript',
  'text/markdown',
  'text/plain',
  'text/xml',
]

/** Source: nginx gzip module, which compresses for proxies only when told so. */
export function gzipLines(options: CompressionOptions): OptionLine[] {
  if (!options.enabled) return line('gzip.enabled', 'gzip', false)
  return [...compressionLines('gzip', options), ...line('gzip', 'gzip_vary', true), ...line('gzip', 'gzip_proxied', 'any')]
}

/** Source: ngx_brotli, which says by itself that answers vary. */
export function brotliLines(options: CompressionOptions): OptionLine[] {
  const lines = options.enabled ? compressionLines('brotli', options) : line('brotli.enabled', 'brotli', false)
  return lines.map((each) => ({ ...each, needs: 'brotli' as const }))
}

function compressionLines(word: 'gzip' | 'brotli', { types, min_length, level }: CompressionOptions): OptionLine[] {
  // That type is always compressed, and nginx warns of one that is named twice.
  const named = [...new Set(types.length > 0 ? types : defaultTypes)].filter((type) => type !== 'text/html')
  return [
    ...line(`${word}.enabled`, word, true),
    ...line(`${word}.types`, `${word}_types`, named.length > 0 ? named.join(' ') : undefined),
    ...line(`${word}.min_length`, `${word}_min_length`, min_length),
    ...line(`${word}.level`, `${word}_comp_level`, level),
  ]
}
