import { z } from 'zod'

/** A moment in a query: RFC 3339, at any offset. */
export const moment = z.iso
  .datetime({ offset: true, error: 'must be a time as in RFC 3339' })
  .transform((text) => new Date(text).toISOString())
  .optional()
