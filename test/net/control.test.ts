import type { Server } from 'node:http';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { callControl } from '../../src/net/control-client.ts';
import { ControlError, startControlServer } from '../../src/net/control-server.ts';

let server: Server;
let port: number;

beforeEach(async () => {
  server = await startControlServer('127.0.0.1', 0, {
    'GET /status': async () => ({ is: 'fine' }),
    'POST /echo': async (body) => ({ body }),
    'POST /refuse': async () => {
      throw new ControlError(409, 'not now');
    },
    'POST /break': async () => {
      throw new Error('broken');
    },
  });
  port = (server.address() as { port: number }).port;
});

afterEach(() => {
  server.close();
  server.closeAllConnections();
});

/** What comes back for raw bytes: the status line, and the body. */
function raw(request: string): Promise<{ status: string; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('error', reject);
    socket.on('close', () => resolve({ status: text.split('\r\n')[0]!, body: text.split('\r\n\r\n').slice(1).join('') }));
    socket.end(request);
  });
}

function post(path: string, body: string): Promise<{ status: string; body: string }> {
  return raw(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

describe('the control interface', () => {
  it('answers with JSON, and hands a body over', async () => {
    expect(await callControl('127.0.0.1', port, 'GET', '/status')).toEqual({ is: 'fine' });
    expect(await callControl('127.0.0.1', port, 'POST', '/echo', { members: ['m1'] })).toEqual({ body: { members: ['m1'] } });
    expect(await callControl('127.0.0.1', port, 'POST', '/echo')).toEqual({ body: {} });
  });

  it('says what it refuses, and what broke', async () => {
    await expect(callControl('127.0.0.1', port, 'POST', '/refuse')).rejects.toThrow('not now');
    await expect(callControl('127.0.0.1', port, 'POST', '/break')).rejects.toThrow('broken');
    expect((await post('/refuse', '')).status).toContain('409');
    expect((await post('/break', '')).status).toContain('500');
  });

  it.each([
    ['no such path', 'GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n', '404'],
    ['a name of every object', 'GET /toString HTTP/1.1\r\nhost: x\r\n\r\n', '404'],
    ['another method', 'GET /echo HTTP/1.1\r\nhost: x\r\n\r\n', '405'],
    ['bytes that are no HTTP', '\u0000\u0001\u0002\r\n\r\n', '400'],
  ])('%s', async (_name, request, status) => {
    expect((await raw(request)).status).toContain(status);
  });

  it.each([
    ['{', '400', 'not JSON'],
    ['[1]', '400', 'not a JSON object'],
    ['null', '400', 'not a JSON object'],
    [`"${'x'.repeat(70_000)}"`, '413', 'more than'],
  ])('the body %.10s is refused', async (body, status, reason) => {
    const answer = await post('/echo', body);
    expect(answer.status).toContain(status);
    expect(answer.body).toContain(reason);
    expect(await callControl('127.0.0.1', port, 'GET', '/status')).toEqual({ is: 'fine' });
  });

  it('the client says when nobody listens, and when it is not a group that does', async () => {
    server.close();
    await expect(callControl('127.0.0.1', port, 'GET', '/status')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
