import { z } from 'zod'
import { access } from './options/access.ts'
import { authBasic } from './options/auth-basic.ts'
import { client, locationClient } from './options/client.ts'
import { brotli, gzip } from './options/compression.ts'
import { grpcPass, upstreamProtocol } from './options/grpc.ts'
import { limitConn, limitReq } from './options/limits.ts'
import { maintenance } from './options/maintenance.ts'
import { proxy } from './options/proxy.ts'
import { proxyCache, proxyCachePath } from './options/proxy-cache.ts'
import { realIp } from './options/real-ip.ts'
import { redirect } from './options/redirect.ts'
import { staticFiles } from './options/static.ts'

/** Typed options of the settings, which hold for all virtual hosts. Like all of them they are absent unless asked for. */
export const settingsOptions = {
  client: client.optional(),
  proxy: proxy.optional(),
  gzip: gzip.optional(),
  brotli: brotli.optional(),
  real_ip: realIp.optional(),
  proxy_cache_path: proxyCachePath.optional(),
}

/** Typed options of a virtual host. */
export const serverOptions = {
  client: client.optional(),
  proxy: proxy.optional(),
  gzip: gzip.optional(),
  brotli: brotli.optional(),
  access: access.optional(),
  auth_basic: authBasic.optional(),
  limit_req: limitReq.optional(),
  limit_conn: limitConn.optional(),
  proxy_cache: proxyCache.optional(),
  redirect: redirect.optional(),
  maintenance: maintenance.optional(),
  real_ip: realIp.optional(),
}

/** Typed options of a location. */
export const locationOptions = {
  client: locationClient.optional(),
  proxy: proxy.optional(),
  gzip: gzip.optional(),
  brotli: brotli.optional(),
  access: access.optional(),
  auth_basic: authBasic.optional(),
  limit_req: limitReq.optional(),
  limit_conn: limitConn.optional(),
  proxy_cache: proxyCache.optional(),
  static: staticFiles.optional(),
  upstream_protocol: upstreamProtocol.optional(),
  grpc_pass: grpcPass.optional(),
}

const settingsObject = z.strictObject(settingsOptions)
const serverObject = z.strictObject(serverOptions)
const locationObject = z.strictObject(locationOptions)

export type SettingsOptions = z.infer<typeof settingsObject>
export type ServerOptions = z.infer<typeof serverObject>
export type LocationOptions = z.infer<typeof locationObject>

/** By the place where they stand. */
export const optionsOf = { settings: settingsObject, server: serverObject, location: locationObject } as const

export interface OptionsByPlace {
  settings: SettingsOptions
  server: ServerOptions
  location: LocationOptions
}

/** The typed options among the members of an object, or undefined where it has none. */
export function optionsIn<P extends keyof OptionsByPlace>(place: P, object: OptionsByPlace[P]): OptionsByPlace[P] | undefined {
  const members = object as Record<string, unknown>
  let found: Record<string, unknown> | undefined
  for (const name of names[place]) {
    if (members[name] !== undefined) (found ??= {})[name] = members[name]
  }
  return found as OptionsByPlace[P] | undefined
}

const names: Record<keyof OptionsByPlace, readonly string[]> = {
  settings: Object.keys(settingsOptions),
  server: Object.keys(serverOptions),
  location: Object.keys(locationOptions),
}
