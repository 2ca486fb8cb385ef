import { Readable } from 'node:stream'
import type { Route } from '@nxmesh/api/route'
import type { FastifyReply } from 'fastify'
import { etag, isKnown, type Tagged } from '../etag.ts'

/** What goes out for a request that succeeded. */
export interface Answer {
  status: number
  headers: Record<string, string>
  body: unknown
}

/** An answer that is made while it is sent. */
export interface Streamed {
  type: string
  fileName: string
  chunks: AsyncIterable<string>
}

/** An answer that is JSON text already. */
export interface Ready {
  json: string
}

/** An answer with headers of its own. */
export interface Headed<T> {
  headers: Record<string, string>
  body: T
}

/** The answer of a route for what its handler returned. */
export function answerOf(route: Route, outcome: unknown): Answer {
  if (outcome === undefined) return { status: 204, headers: {}, body: undefined }
  if (isStreamed(outcome)) {
    const headers = { 'content-type': outcome.type, 'content-disposition': `attachment; filename="${outcome.fileName}"` }
    return { status: route.status, headers, body: Readable.from(outcome.chunks) }
  }
  if (isReady(outcome)) return { status: route.status, headers: { 'content-type': 'application/json; charset=utf-8' }, body: outcome.json }
  if (isHeaded(outcome)) return { status: route.status, ...outcome }
  if (!isTagged(outcome)) return { status: route.status, headers: {}, body: outcome }
  return { status: route.status, headers: { etag: etag(outcome) }, body: outcome.body }
}

/** Sends an answer, or says that the one that `ifNoneMatch` names is still the same. */
export function send(reply: FastifyReply, { status, headers, body }: Answer, ifNoneMatch: string | undefined) {
  reply.headers(headers)
  if (headers['etag'] !== undefined && isKnown(ifNoneMatch, headers['etag'])) return reply.code(304).send()
  return reply.code(status).send(body)
}

function isTagged(outcome: unknown): outcome is Tagged<unknown> {
  return typeof outcome === 'object' && outcome !== null && 'revision' in outcome && 'body' in outcome
}

function isHeaded(outcome: unknown): outcome is Headed<unknown> {
  return typeof outcome === 'object' && outcome !== null && 'headers' in outcome && 'body' in outcome
}

function isReady(outcome: unknown): outcome is Ready {
  return typeof outcome === 'object' && outcome !== null && 'json' in outcome
}

function isStreamed(outcome: unknown): outcome is Streamed {
  return typeof outcome === 'object' && outcome !== null && 'chunks' in outcome
}
