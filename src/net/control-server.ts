import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A request that cannot be carried out; `status` is HTTP's. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export type ControlHandler = (body: Readonly<Record<string, unknown>>) => Promise<unknown>;

const MAX_BODY_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 64;

/**
 * A small HTTP interface: `GET /name` and `POST /name` with a JSON object, answered with JSON. No authentication: it listens on
 * loopback by default. What is wrong with a request stands in `{"error": …}` with a fitting status.
 */
export async function startControlServer(host: string, port: number, handlers: Readonly<Record<string, ControlHandler>>): Promise<Server> {
  const server = createServer((request, response) => {
    answer(request, handlers).then(
      (result) => respond(response, 200, result ?? {}),
      (error: Error) => respond(response, error instanceof ControlError ? error.status : 500, { error: error.message }),
    );
  });
  server.maxConnections = MAX_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

async function answer(request: IncomingMessage, handlers: Readonly<Record<string, ControlHandler>>): Promise<unknown> {
  const { method = '', url = '' } = request;
  const path = url.replace(/\?.*$/, '');
  const key = `${method} ${path}`;
  const handler = Object.hasOwn(handlers, key) ? handlers[key] : undefined;
  if (handler === undefined) {
    const isOtherMethod = Object.keys(handlers).some((name) => name.endsWith(` ${path}`));
    throw new ControlError(isOtherMethod ? 405 : 404, isOtherMethod ? `${method} is not for ${path}` : `there is no ${path}`);
  }
  return handler(method === 'GET' ? {} : await readBody(request));
}

async function readBody(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new ControlError(413, `a body of more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new ControlError(400, 'the body is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ControlError(400, 'the body is not a JSON object');
  return value as Readonly<Record<string, unknown>>;
}

function respond(response: ServerResponse, status: number, result: unknown): void {
  if (response.destroyed) return;
  // Whatever is left of a request that was too long is not read.
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(`${JSON.stringify(result)}\n`);
}
