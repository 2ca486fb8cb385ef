import type { Options } from './options.ts'

const guards = ['access', 'auth_basic', 'limit_req', 'limit_conn'] as const

/** The options that keep requests out, by name: they act in later phases than `return`. Source: nginx, "Phases" of the development guide. */
export function guardsOf(options: Options): string[] {
  return guards.filter((name) => options[name] !== undefined)
}
