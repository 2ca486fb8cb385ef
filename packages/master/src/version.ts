import { readFileSync } from 'node:fs'

/** The release of this master. */
export const version: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
