/**
 * What this side of the session understands beyond the published contract, raised by one with each step:
 * 1: digests of configs, serving digest, drift, findings, client certificates over the session, `command.result`.
 */
export const capability = 1
