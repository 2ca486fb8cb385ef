import { z } from 'zod'

const units = { MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 }
const words = 'must be a size as in 500MB, 10GB or 2TB'

/** A size that somebody sets, as in `10GB`; read, it is a number of bytes. */
export const size = z
  .string(words)
  .regex(/^[1-9]\d{0,8}(MB|GB|TB)$/, words)
  .transform((text) => Number(text.slice(0, -2)) * units[text.slice(-2) as keyof typeof units])
