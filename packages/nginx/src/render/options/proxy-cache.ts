import { createHash } from 'node:crypto'
import type { ProxyCacheOptions, ProxyCachePathOptions } from '@nxmesh/model/options/proxy-cache'
import { usualCache } from '@nxmesh/model/options/usual-cache'
import { quote, template } from '../../quote.ts'
import { line, type OptionLine } from './line.ts'

/** The cache of an nginx: its zone and the statement for it. */
export interface Cache {
  zone: string
  statement: string
}

// A running nginx keeps a zone by its name and refuses another path or other levels for it, so that these are in the name.
export function cacheOf(runtimeDirectory: string, options: ProxyCachePathOptions = usualCache): Cache {
  const where = `${quote(`${runtimeDirectory}/cache`)} levels=1:2`
  const zone = `nxmesh_cache_${createHash('sha256').update(where).digest('hex').slice(0, 16)}`
  const { max_size, inactive } = options
  return {
    zone,
    statement: `proxy_cache_path ${where} keys_zone=${zone}:10m max_size=${max_size} inactive=${inactive}s use_temp_path=off;`,
  }
}

const usualKey = '$scheme://$host$request_uri'

/** `host` is the id of the virtual host, which every key begins with. Source: nginx proxy module. */
export function proxyCacheLines(options: ProxyCacheOptions, { zone, statement }: Cache, host: string): OptionLine[] {
  const { enabled, valid, key = usualKey, bypass, use_stale, lock } = options
  if (!enabled) return line('proxy_cache.enabled', 'proxy_cache', 'off')
  // What is asked for with credentials is for those who have them.
  const fresh = ['$http_authorization', ...new Set(bypass)].join(' ')
  const stale = [...new Set(use_stale)]
  return [
    ...line('proxy_cache', 'proxy_cache', zone, statement),
    ...line('proxy_cache.key', 'proxy_cache_key', template(`${host} ${key}`)),
    ...valid.flatMap((each, at) => line(`proxy_cache.valid.${at}`, 'proxy_cache_valid', `${each.status ?? 'any'} ${each.seconds}s`)),
    ...line('proxy_cache.bypass', 'proxy_cache_bypass', fresh),
    ...line('proxy_cache.bypass', 'proxy_no_cache', fresh),
    ...line('proxy_cache.use_stale', 'proxy_cache_use_stale', stale.length > 0 ? stale.join(' ') : 'off'),
    ...line('proxy_cache.use_stale', 'proxy_cache_background_update', stale.includes('updating')),
    ...line('proxy_cache.lock', 'proxy_cache_lock', lock),
  ]
}
