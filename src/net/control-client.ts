import { request } from 'node:http';

/** Whoever changes members waits until they have caught up. */
const TIMEOUT_MS = { GET: 10_000, POST: 300_000 } as const;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

/** Asks a control server. Rejects with the system's error when nobody listens, and with Error saying what the server says is wrong. */
export function callControl(host: string, port: number, method: 'GET' | 'POST', path: string, body?: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const outgoing = request({ host, port, method, path, timeout: TIMEOUT_MS[method], headers: payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } }, (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('error', reject);
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('end', () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString()) as Readonly<Record<string, unknown>>;
          if (response.statusCode === 200) resolve(answer);
          else reject(new Error(String(answer['error'])));
        } catch {
          reject(new Error(`${host}:${port} does not answer as a group does`));
        }
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${host}:${port} has not answered for ${TIMEOUT_MS[method] / 1000} s${method === 'GET' ? '' : ': what was asked for may go on, and failmask group status shows how far it is'}`)));
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
