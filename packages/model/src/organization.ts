import { z } from 'zod'
import { id, name, slug, timestamp } from './text.ts'

export const organizationInput = z.strictObject({ name, slug }).meta({ id: 'OrganizationInput' })

export type OrganizationInput = z.infer<typeof organizationInput>

export const organization = organizationInput.extend({ id, created_at: timestamp, updated_at: timestamp }).meta({ id: 'Organization' })

export type Organization = z.infer<typeof organization>
