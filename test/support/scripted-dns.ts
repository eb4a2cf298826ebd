import { type DnsClient, DnsError, type SrvRecord } from '../../src/discovery/dns-client.ts'

/**
 * A DNS client that answers from a table: `A app` to `[address, ttl in seconds]` pairs, `SRV app` to records, `CNAME app` to names; a
 * text is the code of a failure, what is missing does not exist. The table is read at each question.
 */
export function scriptedDns(
  records: Readonly<Record<string, unknown>>,
): DnsClient & { readonly questions: string[] } {
  const questions: string[] = []
  const ask = async <R>(type: string, name: string): Promise<readonly R[]> => {
    const question = `${type} ${name.replace(/\.$/, '')}`
    questions.push(question)
    const answer = records[question]
    if (Array.isArray(answer)) return answer
    const kind = answer === undefined ? 'absent' : 'unknown'
    throw new DnsError(kind, `${type} of "${name}": ${answer ?? 'there is none'}`)
  }
  const addresses = async (type: string, name: string) =>
    (await ask<[string, number]>(type, name)).map(([address, ttl]) => ({ address, ttlMs: ttl * 1000 }))
  return {
    questions,
    a: (name) => addresses('A', name),
    aaaa: (name) => addresses('AAAA', name),
    srv: (name) => ask<SrvRecord>('SRV', name),
    cname: (name) => ask<string>('CNAME', name),
    close: () => undefined,
  }
}
