// Reads an AsyncAPI document from standard input; prints the errors that the parser finds, and the messages of each channel.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const ERROR = 0;
const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'));
const errors = diagnostics.filter(({ severity }) => severity === ERROR).map(({ path, message }) => `${path.join('.')}: ${message}`);
const messages = {};
for (const channel of document?.channels().all() ?? []) {
  messages[channel.id()] = channel.messages().all().map((message) => message.id()).sort();
}
console.log(JSON.stringify({ errors, messages }));
