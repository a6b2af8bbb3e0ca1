// The article's own stack on the other end of a topic: publishes and reads its envelopes with kafkajs. It creates no
// topics.
//
//   node bus.mjs produce --brokers HOST:PORT,… --topic TOPIC --events FILE|-
//   node bus.mjs consume --brokers HOST:PORT,… --topic TOPIC --group GROUP --count N
//
// `produce` takes one envelope a line, all of them before the first is sent, and prints {"produced":N} once the broker has
// them. `consume` begins at the first message that the group has not committed, prints one message a line, and ends after N.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Kafka, Partitioners, logLevel } from 'kafkajs';

/**
 * @typedef {{
 *   eventId: string, eventType: string, aggregateId: string, aggregateType: string,
 *   timestamp: string, version: number, payload: unknown,
 *   metadata: { userId?: string, correlationId: string, causationId?: string },
 * }} EventEnvelope
 */

const commands = { produce, consume };

/** @param {Kafka} kafka */
async function produce(kafka, { topic, events }) {
  const lines = readFileSync(events === '-' ? 0 : events, 'utf8').split('\n').filter(Boolean);
  /** @type {EventEnvelope[]} */
  const envelopes = lines.map((line) => JSON.parse(line));
  const messages = envelopes.map((event) => ({
    key: event.aggregateId,
    value: JSON.stringify(event),
    headers: { 'event-type': event.eventType, 'correlation-id': event.metadata.correlationId },
    timestamp: String(Date.parse(event.timestamp)),
  }));
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  await producer.send({ topic, messages });
  await producer.disconnect();
  print({ produced: messages.length });
}

/** @param {Kafka} kafka */
async function consume(kafka, { topic, group, count }) {
  const wanted = Number(count);
  const consumer = kafka.consumer({ groupId: group, allowAutoTopicCreation: false });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let seen = 0;
  await new Promise((resolve, reject) => {
    // After a crash that may pass, kafkajs starts the consumer again by itself.
    consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error));
    const eachBatch = async ({ batch, resolveOffset, heartbeat }) => {
      // What is beyond the count is left to the group's next member.
      for (const message of batch.messages.slice(0, wanted - seen)) {
        print(described(batch.partition, message));
        resolveOffset(message.offset);
        seen += 1;
      }
      await heartbeat();
      if (seen >= wanted) resolve();
    };
    consumer.run({ eachBatchAutoResolve: false, eachBatch }).catch(reject);
  });
  await consumer.disconnect();
}

function described(partition, { offset, key, headers, timestamp, value }) {
  const texts = Object.entries(headers).map(([name, header]) => [name, header?.toString()]);
  return {
    partition,
    offset: Number(offset),
    key: key?.toString() ?? null,
    headers: Object.fromEntries(texts),
    timestamp: Number(timestamp),
    value: parsed(value),
  };
}

function parsed(value) {
  try {
    return JSON.parse(value?.toString() ?? 'null');
  } catch (error) {
    return { unreadable: error.message };
  }
}

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

const text = { type: 'string' };
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { brokers: text, topic: text, events: text, group: text, count: text },
});
const needed = { produce: ['brokers', 'topic', 'events'], consume: ['brokers', 'topic', 'group', 'count'] };
const [command] = positionals;
if (!Object.hasOwn(commands, command ?? '')) fail('say what to do: `produce` or `consume`');
const missing = needed[command].filter((name) => values[name] === undefined);
if (missing.length > 0) fail(`${command}: give ${missing.map((name) => `--${name}`).join(', ')}`);
if (command === 'consume' && !(Number(values.count) >= 1)) fail('consume: --count must be a whole number from 1');

const kafka = new Kafka({ clientId: 'article', brokers: values.brokers.split(','), logLevel: logLevel.ERROR });
try {
  await commands[command](kafka, values);
} catch (error) {
  fail(`${command}: ${error.message}`);
}
