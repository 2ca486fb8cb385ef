import { z } from 'zod'

const mediaType = z
  .string()
  .max(100, 'must be at most 100 characters')
  .regex(/^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/, 'must be a media type such as text/css, in lower case')

const common = {
  enabled: z.boolean().default(true),
  types: z.array(mediaType).max(200).default([]).meta({
    description:
      'The media types that are compressed beside text/html; texts, scripts and what else becomes much smaller where it is empty.',
  }),
  min_length: z
    .int()
    .min(0, 'must be from 0 to 1000000')
    .max(1_000_000, 'must be from 0 to 1000000')
    .default(256)
    .meta({ description: 'Answers of fewer bytes are not compressed, where their length is known.' }),
}

const level = (most: number) => {
  const range = `must be from 1 to ${most}`
  return z.int().min(1, range).max(most, range).optional()
}

/** Compression that every client knows. */
export const gzip = z.strictObject({ ...common, level: level(9) }).meta({ id: 'GzipOptions' })

/** Better compression, where nginx is built with it. */
export const brotli = z.strictObject({ ...common, level: level(11) }).meta({ id: 'BrotliOptions' })

export type CompressionOptions = z.infer<typeof gzip>
