import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RetryBudget } from './retry-budget.ts'

function world() {
  const made = {
    refused: 0,
    nowMs: 0,
    budget: undefined as unknown as RetryBudget,
  }
  made.budget = new RetryBudget(
    () => made.refused++,
    () => made.nowMs,
  )
  return made
}

/** Retries that the budget allows in a row. */
function drain(budget: RetryBudget): number {
  let count = 0
  while (budget.tryRetry()) count++
  return count
}

/** `requests` in waves of `concurrency`; of each wave every `everyNth` fails at its first node and at `deadNodes` − 1 further ones. */
function send(
  budget: RetryBudget,
  { requests, concurrency, everyNth = 1, nodes, deadNodes }: Record<string, number> & { requests: number },
): { attempts: number; failures: number } {
  let [attempts, failures] = [0, 0]
  const answered: number[] = []
  for (let sent = 0; sent < requests; sent++) {
    budget.begin()
    attempts++
    let retries = 0
    const isHit = sent % everyNth! === 0
    while (isHit && retries < nodes! - 1 && retries < deadNodes! && budget.tryRetry()) retries++
    attempts += retries
    if (isHit && retries < deadNodes!) {
      failures++
      budget.end()
    } else answered.push(retries)
    // The answers of a wave come together: until then what was paid is out.
    if ((sent + 1) % concurrency! !== 0) continue
    for (const paid of answered.splice(0)) {
      budget.refund(paid)
      budget.end()
    }
  }
  return { attempts, failures }
}

describe('the retry budget', () => {
  for (const concurrency of [1, 10, 100, 1000]) {
    for (const nodes of [2, 5]) {
      it(`never lets ${nodes} dead nodes be asked by more than a fifth beyond ${concurrency} requests at once`, () => {
        const { budget, refused } = world()
        const { attempts } = send(budget, { requests: 1000, concurrency, nodes, deadNodes: nodes })
        assert.ok(attempts <= 1203 && attempts > 1150, `${attempts} attempts`)
        assert.equal(refused, 0)
      })
    }

    it(`hides one dead node of two under ${concurrency} requests at once, once it has seen some`, () => {
      const { budget } = world()
      send(budget, {
        requests: 5 * concurrency,
        concurrency,
        everyNth: Number.MAX_SAFE_INTEGER,
        nodes: 2,
        deadNodes: 0,
      })
      const { failures } = send(budget, { requests: 5000, concurrency, everyNth: 2, nodes: 2, deadNodes: 1 })
      assert.equal(failures, 0)
    })
  }

  it('hides one dead node of three from the first request on, at fifteen at once', () => {
    const { budget } = world()
    assert.equal(
      send(budget, { requests: 3000, concurrency: 15, everyNth: 3, nodes: 3, deadNodes: 1 }).failures,
      0,
    )
  })

  it('tells of each retry that it refuses', () => {
    const made = world()
    assert.equal(drain(made.budget), 3)
    assert.equal(made.refused, 1)
    made.budget.tryRetry()
    assert.equal(made.refused, 2)
  })

  it('lets one more fail each second when hardly any request comes, up to three', () => {
    const made = world()
    drain(made.budget)
    made.nowMs += 999
    assert.equal(drain(made.budget), 0)
    made.nowMs += 1
    assert.equal(drain(made.budget), 1)
    made.nowMs += 3_600_000
    assert.equal(drain(made.budget), 3)
  })

  it('saves no more than one retry for each request under way, or ten, whatever a good day brought', () => {
    const { budget } = world()
    const more = (requests: number) => {
      for (let i = 0; i < requests; i++) {
        budget.begin()
        budget.end()
      }
    }
    more(10_000)
    assert.equal(drain(budget), 10)
    for (let i = 0; i < 50; i++) budget.begin()
    more(10_000)
    assert.equal(drain(budget), 51)
  })

  it('forgets the savings of a busier hour as slowly as they came', () => {
    const { budget } = world()
    for (let i = 0; i < 1000; i++) budget.begin()
    for (let i = 0; i < 1000; i++) budget.end()
    const more = (requests: number) => {
      for (let i = 0; i < requests; i++) {
        budget.begin()
        budget.end()
      }
    }
    more(100)
    budget.refund(drain(budget))
    const left = drain(budget)
    assert.ok(left > 100 && left < 200, `${left}`)
    budget.refund(left)
    more(1000)
    assert.equal(drain(budget), 10)
  })

  it('gives back what a request has paid that was answered in the end', () => {
    const { budget } = world()
    const paid = drain(budget)
    budget.refund(paid)
    assert.equal(drain(budget), paid)
  })
})
