import type { z } from 'zod'
import { type RouteName, routes } from '../routes.ts'
import { additions } from './additions.ts'
import { contract } from './contract.ts'
import type { Example } from './example.ts'

type AnyExample = Example<unknown>

/** The example of a route: the contract's where it shows one, completed by what this API adds; else one of the same type from elsewhere. */
export function exampleOf(name: RouteName): AnyExample {
  const own = shown(name)
  const response = own.response ?? sameType(routes[name].response)
  return { ...own, ...(response === undefined ? {} : { response }) }
}

function shown(name: RouteName): AnyExample {
  const [said, added] = [(contract as Record<string, AnyExample>)[name], (additions as Record<string, AnyExample>)[name]]
  const merged: AnyExample = { ...said, ...added }
  if (said?.response !== undefined) merged.response = laidOver(said.response, added?.response)
  return merged
}

function sameType(schema: z.ZodType): unknown {
  for (const name of Object.keys(routes) as RouteName[]) {
    const { response } = shown(name)
    if (response === undefined) continue
    if (routes[name].response === schema) return response
    const [item] = (response as { data?: unknown[] }).data ?? []
    if (item !== undefined && itemOf(routes[name].response) === schema) return item
  }
  return undefined
}

function itemOf(page: z.ZodType): z.ZodType | undefined {
  return (page as Partial<z.ZodObject<{ data: z.ZodArray<z.ZodType> }>>).shape?.data?.element
}

function laidOver(base: unknown, addition: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(addition)) return base.map((item, index) => laidOver(item, addition[index]))
  if (!isObject(base) || !isObject(addition)) return addition === undefined ? base : addition
  const keys = new Set([...Object.keys(base), ...Object.keys(addition)])
  return Object.fromEntries([...keys].map((key) => [key, key in addition ? laidOver(base[key], addition[key]) : base[key]]))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
