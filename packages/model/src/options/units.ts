import { z } from 'zod'

/** A whole number of seconds from `min` to `max`. */
export function seconds(min: number, max: number) {
  const range = `must be from ${min} to ${max} seconds`
  return z.int('must be a whole number of seconds').min(min, range).max(max, range)
}

/** A size as nginx writes it: a number of bytes, or of kilobytes, megabytes or gigabytes with one letter. Source: nginx, "Configuration file measurement units". */
export const size = z
  .string()
  .regex(/^(0|[1-9]\d{0,5})[kKmMgG]?$/, 'must be a number of up to six digits, with k, m or g after it for larger units, such as 10m')
