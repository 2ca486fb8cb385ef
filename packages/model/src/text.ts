import { z } from 'zod'

const control = /[\u0000-\u001f\u007f]/

/** A trimmed, non-empty line of text without control characters, at most `max` characters. */
export function line(max: number) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(max, `must be at most ${max} characters`)
    .refine((text) => !control.test(text), 'must not contain control characters')
    .refine((text) => text.trim() === text, 'must not begin or end with a space')
}

/** A name for people. */
export const name = line(200)

/** A name for addresses: lower-case letters, digits and single hyphens. */
export const slug = z
  .string()
  .min(1, 'must not be empty')
  .max(63, 'must be at most 63 characters')
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'must be lower-case letters and digits, separated by single hyphens')

/** A UUID in its canonical, lower-case form. */
export const id = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i, 'must be a UUID')
  .toLowerCase()
  .meta({ format: 'uuid' })

/** A moment: RFC 3339, UTC. */
export const timestamp = z.string().meta({ format: 'date-time' })
