// Uses a gateway as a Node program does: the official client with only the base URL changed. Prints what it saw as one JSON object.
import OpenAI, { toFile } from 'openai';

const model = process.env.MODEL;
const client = new OpenAI({ maxRetries: 0 });
const lines = Array.from({ length: 30 }, (_, n) => JSON.stringify({
  custom_id: `row-${n + 1}`,
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model, messages: [{ role: 'user', content: `Count to ${n + 1}` }] },
})).join('\n');

async function failure(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, type: error.type, param: error.param };
  }
}

async function ended(batch) {
  while (['validating', 'in_progress', 'finalizing', 'cancelling'].includes(batch.status)) {
    await new Promise(resolve => setTimeout(resolve, 100));
    batch = await client.batches.retrieve(batch.id);
  }
  return batch;
}

const file = await client.files.create({
  file: await toFile(Buffer.from(lines), 'größe.jsonl'),
  purpose: 'batch',
  expires_after: { anchor: 'created_at', seconds: 3600 },
});
const create = metadata => client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h', metadata });
const first = await create({ number: '1' });
const batch = await ended(first);
const output = await (await client.files.content(batch.output_file_id)).text();
const others = [await ended(await create({ number: '2' })), await ended(await create({ number: '3' }))];

const listed = [];
for await (const each of client.batches.list({ limit: 1 })) listed.push(each.id);
const files = [];
for await (const each of client.files.list({ limit: 2, order: 'asc' })) files.push(each.id);
const deleted = await client.files.delete(file.id);

console.log(JSON.stringify({
  file,
  created: first.status,
  batch,
  rows: output.trimEnd().split('\n').map(line => JSON.parse(line).custom_id),
  pages: { listed, made: [others[1].id, others[0].id, batch.id] },
  files: files.length,
  firstFile: files[0],
  deleted,
  gone: await failure(() => client.files.retrieve(file.id)),
  wrongKey: await failure(() => new OpenAI({ apiKey: 'wrong', maxRetries: 0 }).files.list()),
  wrongWindow: await failure(() => client.batches.create({ input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: 'soon' })),
  tooLate: await failure(() => client.batches.cancel(batch.id)),
}));
