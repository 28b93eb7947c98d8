import { describe, expect, it } from 'vitest';

import { DEFAULT_RAFT_CONFIG, resolveRaftConfig } from '../../../src/group/raft/raft-config.ts';

describe('what can be chosen', () => {
  it('has defaults that fit each other', () => {
    expect(resolveRaftConfig()).toEqual(DEFAULT_RAFT_CONFIG);
    expect(resolveRaftConfig({ electionTimeoutMs: 300 })).toMatchObject({ electionTimeoutMs: 300, heartbeatMs: 50 });
  });

  it.each([{ electionTimeoutMs: 0 }, { keptEntries: -1 }, { maxPendingReads: NaN }, { electionTimeoutMs: 1000, heartbeatMs: 251 }])('%o is refused', (config) => {
    expect(() => resolveRaftConfig(config)).toThrow(RangeError);
  });
});
