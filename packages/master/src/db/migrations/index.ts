import * as init from './0001-init.ts'

/** Every migration in order; forward only. */
export const migrations = { '0001-init': init }
