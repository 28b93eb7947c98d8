import { describe, expect, it } from 'vitest';
import { runProgram, type Command } from '../../src/cli/program.ts';
import { recvCommand } from '../../src/cli/recv.ts';
import { sendCommand } from '../../src/cli/send.ts';
import { transportConfig, type TransportArgs } from '../../src/cli/transport-flags.ts';
import { resolveConfig } from '../../src/tcp/config.ts';

/** What the command's handler would be given. */
async function parse(command: Command, args: readonly string[]): Promise<any> {
  let parsed: unknown;
  await runProgram(args, [{ ...command, handler: (given) => void (parsed = given) }]);
  return parsed;
}

describe('send', () => {
  it('has the documented defaults', async () => {
    const args = await parse(sendCommand, ['send', 'example.org:9000']);
    expect(args).toMatchObject({
      to: [{ host: 'example.org', port: 9000 }], file: '-', 'connect-timeout': 60_000, 'user-timeout': 60_000, congestion: 'newreno', mtu: 1452,
      integrity: 'required', json: false, quiet: false,
    });
    expect(resolveConfig(transportConfig(args as TransportArgs))).toEqual(resolveConfig());
  });

  it('takes every flag', async () => {
    const args = await parse(sendCommand, [
      'send', '[::1]:9000', 'file', '--user-timeout', '5s', '--connect-timeout', '500ms', '--keepalive', '30s/5s/3', '-C', 'fixed:64', '--mtu', '9000',
      '--integrity', 'accept', '--receive-buffer', '1MiB', '--send-buffer', '64KiB', '--pcap', 'p', '--log', 'l', '-6', '--json', '-q',
    ]);
    expect(args).toMatchObject({ to: [{ host: '::1', port: 9000 }], file: 'file', 'connect-timeout': 500, pcap: 'p', log: 'l', ipv6: true, json: true, quiet: true });
    expect(transportConfig(args as TransportArgs)).toEqual({
      integrity: 'accept', congestion: 'fixed:64', mtuBytes: 9000, userTimeoutMs: 5000, keepAlive: { idleMs: 30_000, intervalMs: 5000, count: 3 },
      receiveBufferBytes: 1 << 20, sendBufferBytes: 65_536,
    });
  });

  it('takes several addresses for a group', async () => {
    expect((await parse(sendCommand, ['send', 'a:1,b:2,[::1]:3', 'file'])).to).toEqual([{ host: 'a', port: 1 }, { host: 'b', port: 2 }, { host: '::1', port: 3 }]);
  });

  it.each([
    [['send'], 'missing: to'],
    [['send', 'host'], 'HOST:PORT'],
    [['send', 'a:1,', 'f'], 'HOST:PORT'],
    [['send', 'a:1', '-4', '-6'], 'mutually exclusive'],
    [['send', 'a:1', '--user-timeout', '0'], '--user-timeout'],
    [['send', 'a:1', '--keepalive', '30s'], '--keepalive: "30s" is not IDLE/INTERVAL/COUNT'],
    [['send', 'a:1', '-C', 'vegas'], '--congestion'],
    [['send', 'a:1', '-C', 'fixed:0'], '--congestion'],
    [['send', 'a:1', '--mtu', '100'], '--mtu: "100" is too small'],
    [['send', 'a:1', '--mtu', '66000'], '--mtu: "66000" is too large'],
    [['send', 'a:1', '--integrity', 'maybe'], '--integrity: "maybe" is neither required nor accept'],
    [['send', 'a:1', '--send-buffer', '1'], '--send-buffer'],
    [['send', 'a:1', 'x', 'y'], 'not understood: y'],
  ])('refuses %j', async (args, message) => {
    await expect(parse(sendCommand, args)).rejects.toThrow(message);
    await expect(parse(sendCommand, args)).rejects.toMatchObject({ exitCode: 2 });
  });
});

describe('recv', () => {
  it('has the documented defaults', async () => {
    expect(await parse(recvCommand, ['recv', '-p', '9000'])).toMatchObject({ port: 9000, host: '127.0.0.1', output: '-', 'keep-open': false, integrity: 'required' });
  });

  it('takes its flags', async () => {
    expect(await parse(recvCommand, ['recv', '-p', '0', '-H', '::1', '-o', 'file', '-k'])).toMatchObject({ port: 0, host: '::1', output: 'file', 'keep-open': true });
  });

  it.each([
    [['recv'], 'missing: --port'],
    [['recv', '-p', '65536'], '--port'],
    [['recv', '-p', '9', '-o', ''], '--output needs a value'],
    [['recv', '-p', '9', 'file'], 'not understood: file'],
  ])('refuses %j', async (args, message) => {
    await expect(parse(recvCommand, args)).rejects.toThrow(message);
  });
});
