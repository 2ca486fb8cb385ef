import { createHash } from 'node:crypto'
import type { StaticOptions } from '@nxmesh/model/options/static'
import { literal, quote } from '../../quote.ts'
import { line, type OptionLine } from './line.ts'

const usualAssets =
  'css js mjs map wasm woff woff2 ttf otf eot png jpg jpeg gif webp avif svg ico bmp mp3 ogg m4a wav mp4 webm mov pdf'.split(' ')

/**
 * Directives for files. The fallback is a file of the same location, not a new URI: one that is not there ends in 404, where nginx would go
 * round in circles. Source: nginx core module, "try_files"; headers module, "expires".
 */
export function staticLines({ fallback, assets_max_age, assets }: StaticOptions, index: string | undefined): OptionLine[] {
  const indexes = (index ?? 'index.html').split(' ').map((name) => quote(`$uri/${name}`))
  const tries = fallback === undefined ? undefined : `$uri ${indexes.join(' ')} ${literal(fallback)} =404`
  return [
    ...line('static', 'autoindex', false),
    ...line('static.fallback', 'try_files', tries),
    ...(assets_max_age === undefined ? [] : expiresLines(assets_max_age, assets.length > 0 ? assets : usualAssets)),
  ]
}

// By the file that is found: the fallback is no asset, whatever was asked for.
function expiresLines(maxAge: number, extensions: readonly string[]): OptionLine[] {
  const pattern = `~*\\.(${[...new Set(extensions)].join('|')})$`
  const hash = createHash('sha256').update(`${maxAge} ${pattern}`).digest('hex').slice(0, 16)
  const variable = `$nxmesh_expires_${hash}`
  const shared = `map $uri ${variable} {\n    default off;\n    ${quote(pattern)} ${maxAge}s;\n}`
  return line('static.assets_max_age', 'expires', variable, shared)
}
