import { isIP } from 'node:net'
import type { CertificateFinding, PreflightResult } from '@nxmesh/model/certificate'
import { canonicalAddress, everyAddress } from '@nxmesh/model/listen-address'
import type { Ctx } from '../ctx.ts'
import type { AcmeDirectory } from './acme/client.ts'
import { explainProblem } from './acme/problem.ts'
import { answerersOf, isFailing, type Subject } from './agents-ready.ts'
import { caaAllows } from './dns/caa.ts'
import { openProviderOf } from './dns/providers.ts'

type Finding = CertificateFinding

/** What will make an order fail, or may, without asking the CA for anything but its directory. */
export async function preflight(ctx: Ctx, subject: Subject): Promise<PreflightResult> {
  const directory = await ctx.acme.clientOf(subject.account).directory()
  const found: Finding[] = []
  if (directory.ok) found.push(...directoryFindings(subject, directory.value))
  else found.push({ severity: 'error', code: 'ca_unreachable', name: null, ...explainProblem(directory.problem) })
  const checks =
    subject.challenge === 'http-01'
      ? [agentFindings(ctx, subject), ...subject.names.map((name) => addressFindings(ctx, name))]
      : [zoneFindings(ctx, subject)]
  const identities = directory.ok ? directory.value.caaIdentities : []
  if (identities.length > 0) checks.push(...subject.names.map((name) => caaFindings(ctx, name, identities)))
  found.push(...(await Promise.all(checks)).flat())
  return { ready: found.every(({ severity }) => severity !== 'error'), findings: found }
}

function directoryFindings({ account, profile }: Subject, { externalAccountRequired, profiles }: AcmeDirectory): Finding[] {
  const found: Finding[] = []
  if (externalAccountRequired && account.url === null && account.eab_kid === null) {
    const message = 'The CA registers accounts only with an external account binding.'
    found.push({
      severity: 'error',
      code: 'externalAccountRequired',
      name: null,
      message,
      fix: 'Give the ACME account the eab_kid and eab_hmac_key that the CA hands out.',
    })
  }
  if (profile !== null && !Object.hasOwn(profiles, profile)) {
    const known = Object.keys(profiles)
    const message = `The CA has no profile ${profile}.`
    const fix = known.length === 0 ? 'Leave the profile out: this CA has none.' : `It has ${known.join(', ')}.`
    found.push({ severity: 'error', code: 'invalidProfile', name: null, message, fix })
  }
  return found
}

async function agentFindings(ctx: Ctx, subject: Subject): Promise<Finding[]> {
  const answerers = await answerersOf(ctx, subject)
  const found = [...answerers].map(async ([name, agents]): Promise<Finding[]> => {
    const error = (code: string, message: string, fix: string): Finding[] => [{ severity: 'error', code, name, message, fix }]
    if (agents.length === 0) {
      const fix = `Create a virtual host for ${name} on the HTTP port or with this certificate, or use dns-01.`
      return error('no_agent', `No agent serves ${name} over plain HTTP, where the CA looks.`, fix)
    }
    const connected = agents.filter(({ agent }) => agent.connected === 1)
    if (connected.length === 0)
      return error(
        'agents_offline',
        `No agent that serves ${name} is connected.`,
        'Start the agent, or look why it cannot reach the master.',
      )
    const ready = connected.filter(({ isReady }) => isReady)
    if (ready.length > 0) return elsewhereFindings(ctx, name, [...new Set(ready.flatMap(({ addresses }) => addresses))])
    const failing = connected.find(({ agent }) => isFailing(agent))
    if (failing) {
      const { hostname, config_error } = failing.agent
      return error(
        'agent_failing',
        `Agent ${hostname} serves ${name} and cannot apply its config: ${config_error ?? 'no reason given'}`,
        'Mend what it says first.',
      )
    }
    return error(
      'agents_behind',
      `No agent that serves ${name} has applied the config that answers the CA.`,
      'Wait until the agents are up to date.',
    )
  })
  return (await Promise.all(found)).flat()
}

/** Where agents answer on single addresses alone, the name should lead to one of them, unless something in between passes requests on. */
async function elsewhereFindings({ resolver }: Ctx, name: string, answering: readonly string[]): Promise<Finding[]> {
  if (answering.includes(everyAddress)) return []
  const looked = isIP(name) > 0 ? { ok: true as const, addresses: [name] } : await resolver.addresses(name)
  if (!looked.ok || looked.addresses.some((address) => answering.includes(canonicalAddress(address)))) return []
  const message = `${name} leads to ${looked.addresses.join(', ')}, and the agents that serve it answer the CA on ${answering.join(', ')} alone.`
  const fix =
    'Let a virtual host on the HTTP port listen on all addresses, or have the name lead to one of these; where a proxy or a translation of addresses leads there, all is well.'
  return [{ severity: 'warning', code: 'other_address', name, message, fix }]
}

async function addressFindings({ resolver }: Ctx, name: string): Promise<Finding[]> {
  if (isIP(name) > 0) return []
  const looked = await resolver.addresses(name)
  if (looked.ok) return []
  const fix = `Add an A or AAAA record that leads to the agents; what this master asks is set with --dns-resolvers.`
  if (looked.missing) return [{ severity: 'error', code: 'dns', name, message: `${name} has no address in the DNS.`, fix }]
  return [
    { severity: 'warning', code: 'dns_unknown', name, message: `The address of ${name} could not be looked up: ${looked.message}`, fix },
  ]
}

async function zoneFindings(ctx: Ctx, { names, dnsProviderId }: Subject): Promise<Finding[]> {
  const provider = dnsProviderId === null ? undefined : await openProviderOf(ctx, dnsProviderId)
  if (!provider)
    return [{ severity: 'error', code: 'no_dns_provider', name: null, message: 'The DNS provider is gone.', fix: 'Name another.' }]
  const places = [...new Set(names.map((name) => name.replace(/^\*\./, '')))]
  const looked = await Promise.all(places.map(async (name) => ({ name, place: await ctx.resolver.challengeName(name) })))
  return looked.flatMap(({ name, place }): Finding[] => {
    if (place.ok) return []
    return [{ severity: 'error', code: 'dns', name, message: place.message, fix: `Mend the CNAME records of _acme-challenge.${name}.` }]
  })
}

async function caaFindings({ resolver }: Ctx, name: string, identities: string[]): Promise<Finding[]> {
  if (isIP(name) > 0) return []
  const isWildcard = name.startsWith('*.')
  const looked = await resolver.caa(isWildcard ? name.slice(2) : name)
  if (!looked.ok || looked.found === null || caaAllows(looked.found.records, identities, isWildcard)) return []
  const message = `The CAA records of ${looked.found.name} do not let this CA issue for ${name}.`
  const fix = `Add: ${looked.found.name}. CAA 0 ${isWildcard ? 'issuewild' : 'issue'} "${identities[0]}"`
  return [{ severity: 'error', code: 'caa', name, message, fix }]
}
