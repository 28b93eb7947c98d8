import { expect, it } from 'vitest';
import { runHostile } from '../../bench/hostile.ts';
import { MAIN } from './program.ts';

it('20,000 hostile datagrams at recv and proxy during a transfer: no crash, no wrong byte, all counted', async () => {
  const result = await runHostile({ datagrams: 20_000, seed: 1, main: MAIN });
  const { injected } = result;
  expect(result).toMatchObject({ exitCodes: { send: 0, recv: 0, proxy: 0 }, isExact: true, send: { complete: true } });
  expect(result.bytes).toBeGreaterThan(1_000_000);
  expect(injected.livePeer + injected.strangersAtProxy + injected.strangersAtRecv).toBe(20_000);
  // What the system did not deliver attacked nobody; on loopback that is little.
  expect(result.proxy['up'].offered).toBeGreaterThan(0.9 * (injected.livePeer + injected.strangersAtProxy));
  const dropped = Number(/^dropped (\d+) datagrams/.exec(result.recvLines.find((line) => line.startsWith('dropped'))!)![1]);
  expect(dropped).toBeGreaterThan(8000);
  for (const { peak } of Object.values(result.resident)) expect(peak).toBeLessThan(200 << 20);
});
