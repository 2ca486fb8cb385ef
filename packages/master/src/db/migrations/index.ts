import * as init from './0001-init.ts'
import * as masters from './0002-masters.ts'
import * as history from './0003-history.ts'
import * as identity from './0004-identity.ts'
import * as events from './0005-events.ts'
import * as alerts from './0006-alerts.ts'
import * as notifications from './0007-notifications.ts'
import * as certificates from './0008-certificates.ts'
import * as dnsProviders from './0009-dns-providers.ts'
import * as foundCertificates from './0010-found-certificates.ts'
import * as alertWaits from './0011-alert-waits.ts'
import * as streamHosts from './0012-stream-hosts.ts'
import * as luaAllowed from './0013-lua-allowed.ts'
import * as leftOut from './0014-left-out.ts'

/** Every migration in order; forward only. */
export const migrations = {
  '0001-init': init,
  '0002-masters': masters,
  '0003-history': history,
  '0004-identity': identity,
  '0005-events': events,
  '0006-alerts': alerts,
  '0007-notifications': notifications,
  '0008-certificates': certificates,
  '0009-dns-providers': dnsProviders,
  '0010-found-certificates': foundCertificates,
  '0011-alert-waits': alertWaits,
  '0012-stream-hosts': streamHosts,
  '0013-lua-allowed': luaAllowed,
  '0014-left-out': leftOut,
}
