import type { DebugSource } from '../control/timeline.ts'
import type { RequestObserver } from '../http/close.ts'
import { Timeline } from '../plugin/timeline.ts'
import { Trace } from '../plugin/trace.ts'
import type { DebugSwitches } from '../proxy/exchange.ts'
import type { DebugSettings } from '../settings/settings.ts'

/** What is shown of the plugins' work. Nothing of it costs anything as long as all is off. */
export class Debug {
  readonly timeline = new Timeline(Date.now)
  readonly switches: DebugSwitches

  constructor({ timeline, plugins_header, rejected_by_header }: DebugSettings) {
    this.timeline.resize(timeline)
    this.switches = { pluginsHeader: plugins_header, rejectedByHeader: rejected_by_header }
  }

  /** Changes what is named. */
  set({ timeline, plugins_header, rejected_by_header }: Partial<DebugSettings>): void {
    if (timeline !== undefined) this.timeline.resize(timeline)
    this.switches.pluginsHeader = plugins_header ?? this.switches.pluginsHeader
    this.switches.rejectedByHeader = rejected_by_header ?? this.switches.rejectedByHeader
  }

  get settings(): DebugSettings {
    const { pluginsHeader, rejectedByHeader } = this.switches
    return {
      timeline: this.timeline.capacity,
      plugins_header: pluginsHeader,
      rejected_by_header: rejectedByHeader,
    }
  }

  readonly startTrace = (): Trace | undefined => {
    const { pluginsHeader, rejectedByHeader } = this.switches
    return this.timeline.capacity > 0 || pluginsHeader || rejectedByHeader ? new Trace() : undefined
  }

  readonly observe: RequestObserver = (context) => this.timeline.record(context)
}

/** What the control API shows where one process does everything. */
export function localDebug(debug: Debug): DebugSource {
  const { timeline } = debug
  return {
    get settings() {
      return debug.settings
    },
    set: (settings) => debug.set(settings),
    timeline: {
      capacity: () => timeline.capacity,
      find: (id) => timeline.find(id),
      newest: (count) => timeline.newest(count),
    },
  }
}
