import type { ConfigPlace } from '@nxmesh/model/explanation'
import { fromBytes, type Node } from './read-config.ts'

/** Tells where a directive stands; null where nothing stands for it. */
export type PlaceOf = (node: Node | undefined) => ConfigPlace | null

/** Bytes as the text that people read. */
export const text = fromBytes
