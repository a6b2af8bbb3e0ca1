// The article's own stack on the other end of a bus: publishes and handles its events with AWS's SDK. It creates no bus.
//
//   node bus.mjs publish --endpoint URL --bus BUS --service NAME --events FILE|-
//   node bus.mjs consume --endpoint URL --bus BUS --queue NAME --pattern JSON --count N
//
// `publish` takes one event a line, all of them before the first is sent, and prints {"published":N} once the bus has them.
// `consume` makes a queue of its own and a rule that feeds it with what the pattern matches, prints {"ready":true}, hands each
// event to the handler, which prints it as one line, and ends after N.

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  EventBridgeClient,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
} from '@aws-sdk/client-eventbridge';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';

/**
 * @typedef {{
 *   eventType: string, aggregateType: string, timestamp: string, payload: object,
 *   metadata: { userId?: string, correlationId: string, causationId?: string },
 * }} DomainEvent
 */

const BATCH = 10;
const commands = { publish, consume };

/** @param {EventBridgeClient} events */
async function publish({ events }, { bus, service, events: file }) {
  const lines = readFileSync(file === '-' ? 0 : file, 'utf8').split('\n').filter(Boolean);
  /** @type {DomainEvent[]} */
  const all = lines.map((line) => JSON.parse(line));
  const entries = all.map((event) => ({
    EventBusName: bus,
    Source: `${service}.${event.aggregateType}`,
    DetailType: event.eventType,
    Time: new Date(event.timestamp),
    Detail: JSON.stringify({ ...event.payload, metadata: event.metadata }),
  }));
  for (let sent = 0; sent < entries.length; sent += BATCH) {
    const answer = await events.send(new PutEventsCommand({ Entries: entries.slice(sent, sent + BATCH) }));
    if (answer.FailedEntryCount > 0) throw new Error(JSON.stringify(answer.Entries));
  }
  print({ published: entries.length });
}

/** @param {{ events: EventBridgeClient, queues: SQSClient }} clients */
async function consume({ events, queues }, { bus, queue, pattern, count }) {
  const { QueueUrl } = await queues.send(new CreateQueueCommand({ QueueName: queue }));
  const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] });
  const { QueueArn } = (await queues.send(asked)).Attributes;
  const rule = { Name: queue, EventBusName: bus, EventPattern: pattern };
  await events.send(new PutRuleCommand(rule));
  const targets = [{ Id: 'queue', Arn: QueueArn }];
  await events.send(new PutTargetsCommand({ Rule: queue, EventBusName: bus, Targets: targets }));
  print({ ready: true });
  for (let seen = 0; seen < Number(count); ) {
    const receive = new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: BATCH, WaitTimeSeconds: 20 });
    const { Messages = [] } = await queues.send(receive);
    for (const { Body, ReceiptHandle } of Messages) {
      await handler(JSON.parse(Body));
      await queues.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
      seen += 1;
    }
  }
}

/** What the article runs on Lambda, behind the rule. */
async function handler(event) {
  const { metadata, ...payload } = event.detail;
  print({ source: event.source, detailType: event['detail-type'], time: event.time, payload, metadata });
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
  options: {
    endpoint: text, bus: text, service: text, events: text, queue: text, pattern: text, count: text,
  },
});
const needed = {
  publish: ['endpoint', 'bus', 'service', 'events'],
  consume: ['endpoint', 'bus', 'queue', 'pattern', 'count'],
};
const [command] = positionals;
if (!Object.hasOwn(commands, command ?? '')) fail('say what to do: `publish` or `consume`');
const missing = needed[command].filter((name) => values[name] === undefined);
if (missing.length > 0) fail(`${command}: give ${missing.map((name) => `--${name}`).join(', ')}`);
if (command === 'consume' && !(Number(values.count) >= 1)) fail('consume: --count must be a whole number from 1');

// Credentials are in the environment.
const place = { endpoint: values.endpoint, region: 'us-east-1' };
try {
  await commands[command]({ events: new EventBridgeClient(place), queues: new SQSClient(place) }, values);
} catch (error) {
  fail(`${command}: ${error.message}`);
}
