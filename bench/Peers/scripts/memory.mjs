// BullMQ as 'fill' and 'drain' of the bench: leaves jobs in Redis that wait, and then their results.
// node memory.mjs --redis HOST:PORT --phase fill --bodies FILE        a request a line
// node memory.mjs --redis HOST:PORT --phase drain --jobs N --answer FILE
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Queue, Worker } from 'bullmq';

const text = { type: 'string' };
const { values: o } = parseArgs({ options: { redis: text, phase: text, bodies: text, answer: text, jobs: text } });
const [host, port] = o.redis.split(':');
const connection = { host, port: +port };

if (o.phase === 'fill') {
  const bodies = readFileSync(o.bodies, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));
  const queue = new Queue('memory', { connection });
  for (let i = 0; i < bodies.length; i += 1000)
    await queue.addBulk(bodies.slice(i, i + 1000).map(data => ({ name: 'prompt', data, opts: { attempts: 5, backoff: { type: 'exponential', delay: 500 } } })));
  await queue.close();
} else {
  const answer = JSON.parse(readFileSync(o.answer, 'utf8'));
  let done = 0, finished;
  const all = new Promise(r => finished = r);
  const worker = new Worker('memory', async () => answer, { connection, concurrency: 100 });
  worker.on('completed', () => { if (++done === +o.jobs) finished(); });
  await all;
  await worker.close();
}
