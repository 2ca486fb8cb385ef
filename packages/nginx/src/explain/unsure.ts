import type { Node } from './read-config.ts'

/** Ends an explanation where what nginx does next depends on something that is not known here. */
export class Unsure extends Error {
  readonly node: Node | undefined
  constructor(message: string, node?: Node) {
    super(message)
    this.node = node
  }
}
