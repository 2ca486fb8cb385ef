/**
 * What this side of the session understands beyond the published contract, raised by one with each step:
 * 1: digests of configs, serving digest, drift, findings, client certificates over the session, `command.result`.
 * 2: the agent says what its nginx is and what files it wrote, so that the master can show them.
 * 3: requests are logged, and batches of logs and metrics are numbered.
 * 4: the master takes requests as rows.
 * 5: the agent writes typed options and extra directives, refuses options that it does not know, and sends the configuration of its host.
 * 6: the agent serves stream hosts.
 * 7: the agent listens on certain addresses only.
 * 8: the agent runs Lua, and leaves out hosts whose Lua its nginx cannot run.
 * 9: the agent takes the PROXY protocol of virtual hosts, serves them on unix sockets and stream hosts on certain addresses only, and loads more modules where
 *    directives need them.
 * 10: the agent writes a mail block, and serves stream hosts on unix sockets.
 */
export const capability = 10
