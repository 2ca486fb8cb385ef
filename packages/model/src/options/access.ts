import { z } from 'zod'
import { network } from './network.ts'

const rule = z
  .strictObject({
    action: z.enum(['allow', 'deny'], 'must be allow or deny'),
    address: z.union([z.literal('all'), network], 'must be an IPv4 or IPv6 address, a network such as 10.0.0.0/8, or all'),
  })
  .meta({ id: 'AccessRule' })

/** Rules by address, in order; none may stand behind one that speaks of everybody, and somebody must be denied. */
export const accessRules = z
  .array(rule)
  .min(1, 'must hold at least one rule')
  .max(10_000)
  .superRefine((rules, ctx) => {
    const everybody = rules.findIndex(({ address }) => address === 'all')
    if (everybody !== -1 && everybody < rules.length - 1) {
      const message = `is never reached: rules.${everybody} speaks of all`
      ctx.addIssue({ code: 'custom', path: [everybody + 1], message, params: { code: 'INVALID_VALUE' } })
    }
    if (rules.length > 0 && rules.every(({ action }) => action === 'allow')) {
      const message = 'must deny somebody, or everybody may come: end with {"action": "deny", "address": "all"}'
      ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_VALUE' } })
    }
  })

/** Who may come, by address: the first rule that speaks of an address decides, and whoever none speaks of may come. */
export const access = z
  .strictObject({
    rules: accessRules,
    satisfy: z
      .enum(['all', 'any'], 'must be all or any')
      .optional()
      .meta({ description: 'Where a password is asked for too: whether both must be right (`all`, as nginx has it) or one will do.' }),
  })
  .meta({
    id: 'AccessOptions',
    description: 'Rules by address, in order: the first that fits decides. They replace those of the level above.',
  })

export type AccessOptions = z.infer<typeof access>
