import { z } from 'zod'

const keyPattern = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const valuePattern = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/

export const labelKey = z.string().regex(keyPattern, 'must be a label key: letters, digits, "-", "_", "." and an optional "prefix/"')
export const labelValue = z.string().regex(valuePattern, 'must be a label value: at most 63 letters, digits, "-", "_" or "."')

/** Labels of an agent, by Kubernetes' rules for keys and values. */
export const labels = z
  .record(labelKey, labelValue)
  .refine((map) => Object.keys(map).length <= 64, 'must hold at most 64 labels')
  .meta({ id: 'Labels', description: "Labels by Kubernetes' rules for keys and values, at most 64.", maxProperties: 64 })

export type Labels = Readonly<Record<string, string>>

/** Labels that people set centrally; null takes away one that an agent has from elsewhere. */
export type CentralLabels = Readonly<Record<string, string | null>>

/** The labels an agent is selected by: what it reports and what its token said, overruled by what was set centrally. */
export function effectiveLabels(token: Labels, reported: Labels, central: CentralLabels): Labels {
  return setLabels({ ...token, ...reported, ...central })
}

/** Those of some central labels that are set. */
export function setLabels(central: CentralLabels): Labels {
  return Object.fromEntries(Object.entries(central).filter((entry): entry is [string, string] => entry[1] !== null))
}
