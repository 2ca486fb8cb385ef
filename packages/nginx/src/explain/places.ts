import type { ConfigPlace } from '@nxmesh/model/explanation'
import type { Rendered } from '../render/target.ts'
import { fromBytes, type Node } from './read-config.ts'

/** Tells where a directive stands; null where nothing stands for it. */
export type PlaceOf = (node: Node | undefined) => ConfigPlace | null

/** Bytes as the text that people read. */
export const text = fromBytes

/** Tells of directives of rendered files which object and field they come from, too. */
export function placesIn(sources: Rendered['sources']): PlaceOf {
  return (node) => (node ? { file: node.file, line: node.line, directive: node.name, ...sources(node.file, node.line) } : null)
}
