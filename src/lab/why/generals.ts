/**
 * The Byzantine generals with oral messages (Lamport, Shostak, Pease 1982): a commander sends an order, 0 or 1, to his
 * lieutenants, who tell each other what they heard. General 0 commands. Traitors say anything to anybody.
 */

export type Order = 0 | 1;

/** What `path`'s last general tells `to` about the order that came along `path`: [0] is the commander's own word. */
export interface Saying {
  readonly path: readonly number[];
  readonly to: number;
  readonly order: Order;
}

/** What a traitor says instead of `truth`. */
export type Lie = (path: readonly number[], to: number, truth: Order) => Order;

export interface GeneralsOptions {
  /** The commander included; at least 2. */
  readonly generals: number;
  /** Rounds of telling each other what was heard; OM(m) has m. */
  readonly rounds: number;
  readonly traitors: ReadonlySet<number>;
  readonly order: Order;
  readonly lie: Lie;
}

export interface GeneralsResult {
  /** Everything that was said, in order. */
  readonly sayings: readonly Saying[];
  /** What each lieutenant decides; a traitor's decision means nothing. */
  readonly decisions: ReadonlyMap<number, Order>;
  /** IC1: all loyal lieutenants decide the same. */
  readonly isAgreed: boolean;
  /** IC2: if the commander is loyal, every loyal lieutenant decides what he said. */
  readonly isObeyed: boolean;
}

/** A lieutenant who hears nothing, or as much for one as for the other, retreats. */
const DEFAULT_ORDER: Order = 0;

/** OM(m), section 3 of the paper. */
export function runGenerals({ generals, rounds, traitors, order, lie }: GeneralsOptions): GeneralsResult {
  const sayings: Saying[] = [];
  const everybody = Array.from({ length: generals }, (_, i) => i);

  /** The last of `path`, who has `value`, tells the others; returns what each of them makes of it. */
  function tell(path: readonly number[], value: Order, depth: number): Map<number, Order> {
    const sender = path[path.length - 1]!;
    const hearers = everybody.filter((general) => !path.includes(general));
    const heard = new Map<number, Order>();
    for (const to of hearers) {
      const said = traitors.has(sender) ? lie(path, to, value) : value;
      sayings.push({ path, to, order: said });
      heard.set(to, said);
    }
    if (depth === 0) return heard;
    const relayed = hearers.map((relay) => tell([...path, relay], heard.get(relay)!, depth - 1));
    return new Map(hearers.map((hearer, i) => {
      const votes = relayed.flatMap((made, j) => (j === i ? [] : [made.get(hearer)!]));
      return [hearer, majority([heard.get(hearer)!, ...votes])] as const;
    }));
  }

  const decisions = tell([0], order, rounds);
  const loyal = [...decisions].filter(([general]) => !traitors.has(general)).map(([, decision]) => decision);
  return {
    sayings,
    decisions,
    isAgreed: new Set(loyal).size <= 1,
    isObeyed: traitors.has(0) || loyal.every((decision) => decision === order),
  };
}

/** What one general heard, as he can tell it: nobody's thoughts, only words. Equal texts: he cannot tell the worlds apart. */
export function transcriptOf({ sayings }: GeneralsResult, general: number): string[] {
  return sayings.filter(({ to }) => to === general).map(({ path, order }) => {
    const [source, ...relays] = path.map(nameOf);
    const speaker = relays.pop();
    return speaker === undefined ? `${source}: "${order}"` : `${speaker}: "${[...relays.reverse(), source].join(' said that ')} said ${order}"`;
  });
}

export function nameOf(general: number): string {
  return general === 0 ? 'commander' : `lieutenant ${general}`;
}

/** Every traitor's lie as a bit of `choices`, in the order in which they are told: all of [0, 2^lies) are all worlds there are. */
export function scriptedLies(choices: number): { readonly lie: Lie; readonly used: () => number } {
  let used = 0;
  return {
    lie: () => ((choices >>> used++) & 1) as Order,
    used: () => used,
  };
}

/** Lies that traitors can tell in OM(m): one for each thing that they say. */
export function liesIn(generals: number, rounds: number, traitors: ReadonlySet<number>): number {
  const { lie, used } = scriptedLies(0);
  runGenerals({ generals, rounds, traitors, order: 0, lie });
  return used();
}

function majority(orders: readonly Order[]): Order {
  const ones = orders.filter((order) => order === 1).length;
  return ones * 2 > orders.length ? 1 : DEFAULT_ORDER;
}
