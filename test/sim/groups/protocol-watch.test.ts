import { describe, expect, it } from 'vitest';

import type { Ready } from '../../../src/group/replica.ts';
import { GroupCoverage } from '../../../src/sim/group/group-coverage.ts';
import type { MemberPlace } from '../../../src/sim/group/member-place.ts';
import { ProtocolWatch } from '../../../src/sim/group/protocol-watch.ts';
import type { ReplicaWorld } from '../../../src/sim/replica-world.ts';
import { Verdicts } from '../../../src/sim/verdict.ts';

const NOTHING: Ready = { persist: [], messages: [], committed: [], replies: [], role: 'follower' };
const WRITE: Ready['persist'] = [{ kind: 'sync', file: 'log' }];
const MESSAGE: Ready['messages'] = [{ to: 'm1', body: new Uint8Array(1) }];
const REPLY: Ready['replies'] = [{ kind: 'reply', memberId: 'm0', clientId: 'c', serial: 1, reply: { status: 'ok', offset: 0, digest: new Uint8Array(0), body: new Uint8Array(0) } }];

/** One member whose state is what the test says. */
class Watched {
  readonly verdicts = new Verdicts();
  readonly status = { term: 1, commitIndex: 5, lastIndex: 5, role: 'follower', problem: undefined };
  readonly place = {
    name: 'm0', index: 0, identity: 'm0', isUp: true, isDamaged: false, isPersisting: false, hasFailedDisk: false, replica: { status: () => this.status },
  } as unknown as MemberPlace;
  readonly watch = new ProtocolWatch({ watches: [], members: [this.place], now: 0, verdicts: this.verdicts } as unknown as ReplicaWorld, { coverage: new GroupCoverage(), hasOneLeader: true, isOrdered: true });

  leave(ready: Partial<Ready>): void {
    this.watch.readyTaken(this.place, { ...NOTHING, ...ready });
    this.watch.readyLeaves(this.place);
  }

  restartWith(status: Partial<Watched['status']>): string[] {
    this.watch.down(this.place);
    Object.assign(this.status, status);
    this.watch.began(this.place);
    return this.verdicts.violations.map(({ checker }) => checker);
  }
}

describe('what a member has promised', () => {
  it.each([{ messages: MESSAGE }, { persist: WRITE, replies: REPLY }])('is what it had in mind when it wrote to others, or wrote to its disk and answered', (ready) => {
    const member = new Watched();
    member.status.term = 3;
    member.leave(ready);
    expect(member.restartWith({ term: 2 })).toEqual(['durability']);
  });

  it('is what was on its disk when it only answers', () => {
    const member = new Watched();
    member.leave({ persist: WRITE });
    member.status.term = 3;
    member.status.lastIndex = 7;
    member.leave({ replies: REPLY });
    expect(member.restartWith({ term: 1, lastIndex: 5 })).toEqual([]);
    const other = new Watched();
    other.leave({ persist: WRITE });
    other.leave({ replies: REPLY });
    expect(other.restartWith({ lastIndex: 4, commitIndex: 4 })).toEqual(['durability']);
  });
});
