import type { Node } from './read-config.ts'

/** What the rewrite module decided: go on, or end the request here. */
export type RewriteEnd =
  | { kind: 'on' }
  | { kind: 'answer'; status: number; text: string; node: Node }
  | { kind: 'redirect'; status: number; location: string; node: Node }
  | { kind: 'status'; status: number; node: Node }

/** What nginx's script engine keeps from one directive to the next. */
export interface Engine {
  quote: boolean
  /** Whether a replacement with arguments was written: releases differ in whether they forget that. */
  wroteArgs: boolean
}

/** The request goes on. */
export const goesOn: RewriteEnd = { kind: 'on' }
