import { isLua } from './lua-directives.ts'

/** Modules that are not nginx's own build and that agents load where a directive needs them, by the names of their directives. */
const loadable = {
  lua: isLua,
  headers_more: (name: string) => /^more_(set|clear)_(input_)?headers$/.test(name),
  echo: (name: string) => name === 'echo' || name.startsWith('echo_'),
  fancyindex: (name: string) => name === 'fancyindex' || name.startsWith('fancyindex_'),
  subs_filter: (name: string) => /^subs_filter(_types|_bypass)?$/.test(name),
  image_filter: (name: string) => name === 'image_filter' || name.startsWith('image_filter_'),
  cache_purge: (name: string) => /^((proxy|fastcgi|uwsgi|scgi)_cache_purge|cache_purge_response_type)$/.test(name),
} as const

export type LoadableModule = keyof typeof loadable

const all = Object.entries(loadable) as [LoadableModule, (name: string) => boolean][]

/** The module that a directive is of, where it is one that nginx must load. */
export function moduleOf(name: string): LoadableModule | undefined {
  return all.find(([, has]) => has(name))?.[0]
}

/** How such a module is called. */
export const moduleWords: Readonly<Record<LoadableModule, string>> = {
  lua: 'Lua',
  headers_more: 'headers-more',
  echo: 'echo',
  fancyindex: 'fancyindex',
  subs_filter: 'substitutions',
  image_filter: 'image filter',
  cache_purge: 'cache purge',
}
