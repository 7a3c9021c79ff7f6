// Uses a gateway as programs on other SDKs do, each unchanged but for base URL and key. Prints a line for each call: a JSON object with the
// SDK, the call, and what was wrong with it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createAzure } from '@ai-sdk/azure';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { tool as langChainTool } from '@langchain/core/tools';
import { AzureChatOpenAI, AzureOpenAIEmbeddings, ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { tool as llamaIndexTool } from '@llamaindex/core/tools';
import { OpenAI as LlamaIndexOpenAI, OpenAIEmbedding } from '@llamaindex/openai';
import { embedMany, generateText, isStepCount, Output, streamText, tool } from 'ai';
import OpenAI, { AzureOpenAI } from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { z } from 'zod';

const { GATEWAY: gateway, KEY: apiKey, MODEL: model } = process.env;
const baseURL = `${gateway}/v1`;
const prompt = 'Größe? 你好 🙂';
const city = z.object({ city: z.string(), days: z.number().int() });
const messages = [{ role: 'user', content: prompt }];
const schema = z.object({ title: z.string(), tags: z.array(z.string()) });

// The simulator ends a text with the hash of what the user said.
const mark = `[${createHash('sha256').update(prompt).digest('hex').slice(0, 16)}]`;
const isText = text =>
  assert.ok(typeof text === 'string' && text.length > mark.length && text.endsWith(mark), `not the whole text: ${text}`);
const isCity = value => assert.ok(city.safeParse(value).success, `not the tool's arguments: ${JSON.stringify(value)}`);
const fits = value => assert.ok(schema.safeParse(value).success, `not of the schema: ${JSON.stringify(value)}`);
const isUsage = (input, output) => assert.ok(input > 0 && output > 0, `no usage: ${input}, ${output}`);
const areParts = parts => assert.ok(parts > 3, `${parts} parts`);
const areVectors = vectors => {
  assert.equal(vectors.length, 2);
  assert.ok(vectors[0].length > 3 && vectors.every(vector => [...vector].every(Number.isFinite)), 'no numbers');
  assert.notDeepEqual([...vectors[0]], [...vectors[1]]);
};

async function call(sdk, name, run) {
  let wrong = null;
  try {
    await run();
  } catch (error) {
    wrong = `${error?.constructor?.name}: ${error?.message}`;
  }
  console.log(JSON.stringify({ sdk, call: name, wrong }));
}

async function all(sdk, calls) {
  await Promise.all(Object.entries(calls).map(([name, run]) => call(sdk, name, run)));
}

function openai(client) {
  return {
    async chat() {
      const { data, request_id } = await client.chat.completions.create({ model, messages }).withResponse();
      isText(data.choices[0].message.content);
      isUsage(data.usage.prompt_tokens, data.usage.completion_tokens);
      assert.match(request_id, /^req_/);
    },
    async stream() {
      const { data, request_id } = await client.chat.completions
        .create({ model, messages, stream: true, stream_options: { include_usage: true } }).withResponse();
      let [text, usage] = ['', null];
      for await (const chunk of data) {
        text += chunk.choices[0]?.delta.content ?? '';
        usage = chunk.usage ?? usage;
      }
      isText(text);
      isUsage(usage?.prompt_tokens, usage?.completion_tokens);
      assert.match(request_id, /^req_/);
    },
    async tools() {
      const tell = async args => { isCity(args); return 'sunny'; };
      const forecast = zodFunction({ name: 'forecast', description: 'The weather', parameters: city, function: tell });
      isText(await client.chat.completions.runTools({ model, messages, stream: true, tools: [forecast] }).finalContent());
    },
    async structured() {
      const answer = await client.chat.completions.parse({ model, messages, response_format: zodResponseFormat(schema, 'note') });
      fits(answer.choices[0].message.parsed);
    },
    async embeddings() {
      areVectors((await client.embeddings.create({ model, input: ['one', 'two'] })).data.map(each => each.embedding));
    },
  };
}

function vercel(chat, embedding) {
  return {
    async chat() {
      const answer = await generateText({ model: chat, prompt, maxRetries: 0 });
      isText(answer.text);
      isUsage(answer.usage.inputTokens, answer.usage.outputTokens);
    },
    async stream() {
      const answer = streamText({ model: chat, prompt, maxRetries: 0, onError() {} });
      let [text, parts] = ['', 0];
      for await (const part of answer.fullStream) {
        if (part.type === 'error') throw part.error;
        if (part.type === 'text-delta' && ++parts) text += part.text;
      }
      isText(text);
      areParts(parts);
      const usage = await answer.usage;
      isUsage(usage.inputTokens, usage.outputTokens);
    },
    async tools() {
      const ran = [];
      const forecast = tool({ description: 'The weather', inputSchema: city, execute: async args => { ran.push(args); return 'sunny'; } });
      const answer = streamText({ model: chat, prompt, maxRetries: 0, stopWhen: isStepCount(2), onError() {}, tools: { forecast } });
      for await (const part of answer.fullStream) if (part.type === 'error' || part.type === 'tool-error') throw part.error;
      assert.equal(ran.length, 1);
      isCity(ran[0]);
      isText(await answer.text);
    },
    async structured() {
      fits((await generateText({ model: chat, prompt, maxRetries: 0, output: Output.object({ schema }) })).output);
    },
    async embeddings() {
      areVectors((await embedMany({ model: embedding, values: ['one', 'two'], maxRetries: 0 })).embeddings);
    },
  };
}

function langChain(chat, embeddings) {
  const forecast = langChainTool(async () => 'sunny', { name: 'forecast', description: 'The weather', schema: city });
  return {
    async chat() {
      const answer = await chat.invoke(prompt);
      isText(answer.text);
      isUsage(answer.usage_metadata?.input_tokens, answer.usage_metadata?.output_tokens);
    },
    async stream() {
      let [whole, parts] = [null, 0];
      for await (const chunk of await chat.stream(prompt)) {
        parts += chunk.text.length > 0 ? 1 : 0;
        whole = whole === null ? chunk : whole.concat(chunk);
      }
      isText(whole.text);
      areParts(parts);
      isUsage(whole.usage_metadata?.input_tokens, whole.usage_metadata?.output_tokens);
    },
    async tools() {
      const bound = chat.bindTools([forecast]);
      let whole = null;
      for await (const chunk of await bound.stream(prompt)) whole = whole === null ? chunk : whole.concat(chunk);
      assert.equal(whole.tool_calls.length, 1);
      isCity(whole.tool_calls[0].args);
      const told = await forecast.invoke({ ...whole.tool_calls[0], type: 'tool_call' });
      isText((await bound.invoke([{ role: 'user', content: prompt }, whole, told])).text);
    },
    async structured() {
      fits(await chat.withStructuredOutput(schema, { name: 'note', method: 'jsonSchema', strict: true }).invoke(prompt));
    },
    async embeddings() {
      areVectors(await embeddings.embedDocuments(['one', 'two']));
    },
  };
}

function llamaIndex(chat, embedding) {
  const forecast = llamaIndexTool({
    name: 'forecast', description: 'The weather', parameters: city, execute: () => 'sunny',
  });
  return {
    async chat() {
      isText((await chat.chat({ messages })).message.content);
    },
    async stream() {
      let [text, parts] = ['', 0];
      for await (const chunk of await chat.chat({ messages, stream: true })) {
        parts += chunk.delta.length > 0 ? 1 : 0;
        text += chunk.delta;
      }
      isText(text);
      areParts(parts);
    },
    async tools() {
      const args = call => typeof call.input === 'string' ? JSON.parse(call.input) : call.input;
      isCity(args((await chat.chat({ messages, tools: [forecast] })).message.options.toolCall[0]));
      const calls = [];
      const stream = await chat.chat({ messages, tools: [forecast], stream: true });
      for await (const chunk of stream) calls.push(...(chunk.options?.toolCall ?? []));
      isCity(args(calls.at(-1)));
    },
    async structured() {
      const answer = await chat.chat({ messages, responseFormat: schema });
      fits(JSON.parse(answer.message.content));
    },
    async embeddings() {
      areVectors(await embedding.getTextEmbeddings(['one', 'two']));
    },
  };
}

const official = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const officialAzure = new AzureOpenAI({ endpoint: gateway, apiKey, apiVersion: '2024-10-21', deployment: model, maxRetries: 0 });
const vercelOpenAI = createOpenAI({ baseURL, apiKey });
const vercelCompatible = createOpenAICompatible({ name: 'gateway', baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const vercelAzure = createAzure({ baseURL: `${gateway}/openai`, apiKey });
const vercelDeployment = createAzure({ baseURL: `${gateway}/openai`, apiKey, useDeploymentBasedUrls: true, apiVersion: '2024-10-21' });
const langChainOptions = { model, apiKey, maxRetries: 0, configuration: { baseURL } };
const langChainAzure = {
  model, azureOpenAIApiKey: apiKey, azureOpenAIApiVersion: '2024-10-21', azureOpenAIBasePath: `${gateway}/openai/deployments`, maxRetries: 0,
};

await all('openai', openai(official));
await all('openai responses', {
  async chat() {
    isText((await official.responses.create({ model, input: prompt })).output_text);
  },
  async stream() {
    isText((await official.responses.stream({ model, input: prompt }).finalResponse()).output_text);
  },
  async structured() {
    fits((await official.responses.parse({ model, input: prompt, text: { format: zodTextFormat(schema, 'note') } })).output_parsed);
  },
});
await all('openai models', {
  async list() {
    const ids = [];
    for await (const each of official.models.list()) ids.push(each.id);
    assert.ok(ids.includes(model), `${ids}`);
  },
  async retrieve() {
    assert.deepEqual(await official.models.retrieve(model), { id: model, object: 'model', created: 0, owned_by: 'llmpipe' });
  },
  async unknown() {
    const isNotFound = error =>
      error instanceof OpenAI.NotFoundError && error.code === 'model_not_found' && error.requestID.startsWith('req_');
    await assert.rejects(official.models.retrieve('nobody/none:1'), isNotFound);
  },
});
await all('openai azure', openai(officialAzure));
await all('openai azure batches', {
  async create() {
    // The client asks for it below the deployment.
    const create = officialAzure.batches.create({ input_file_id: 'file-none', endpoint: '/v1/chat/completions', completion_window: '24h' });
    await assert.rejects(create, error => error.status === 404 && error.param === 'input_file_id');
  },
  async list() {
    for await (const batch of officialAzure.batches.list()) assert.ok(batch.id);
    for await (const file of officialAzure.files.list()) assert.ok(file.id);
  },
});
await all('@ai-sdk/openai', vercel(vercelOpenAI(model), vercelOpenAI.embedding(model)));
await all('@ai-sdk/openai chat', vercel(vercelOpenAI.chat(model), vercelOpenAI.embedding(model)));
await all('@ai-sdk/openai-compatible', vercel(vercelCompatible(model), vercelCompatible.embeddingModel(model)));
await all('@ai-sdk/azure', vercel(vercelAzure.chat(model), vercelAzure.embedding(model)));
await all('@ai-sdk/azure deployments', vercel(vercelDeployment.chat(model), vercelDeployment.embedding(model)));
await all('@langchain/openai', langChain(new ChatOpenAI(langChainOptions), new OpenAIEmbeddings(langChainOptions)));
await all('@langchain/openai responses', langChain(
  new ChatOpenAI({ ...langChainOptions, useResponsesApi: true }),
  new OpenAIEmbeddings(langChainOptions)));
await all('@langchain/openai azure', langChain(
  new AzureChatOpenAI({ ...langChainAzure, azureOpenAIApiDeploymentName: model }),
  new AzureOpenAIEmbeddings({ ...langChainAzure, azureOpenAIApiEmbeddingsDeploymentName: model })));
await all('@llamaindex/openai', llamaIndex(
  new LlamaIndexOpenAI({ model, apiKey, baseURL, maxRetries: 0 }),
  new OpenAIEmbedding({ model, apiKey, baseURL, maxRetries: 0 })));
