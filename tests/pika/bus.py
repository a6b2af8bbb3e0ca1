"""Another service's side of an exchange of RabbitMQ, by pika.

    python bus.py publish --url URL --exchange NAME
    python bus.py read --url URL --exchange NAME --binding KEY
    python bus.py read --url URL --queue NAME

`publish` takes one message a line, as {"routingKey": …, "properties": {…}, "body": …}, all of them before the first is sent,
and prints {"published": N} once the server has confirmed them; one that no queue takes is an error. `read` prints
{"ready": true} when nothing that is published from then on escapes it, then one message a line, until it is killed. It
declares a queue of its own that ends with it, or reads one that is there. Neither makes an exchange.
"""

import argparse
import json
import sys

import pika

PROPERTIES = [
    "content_type",
    "delivery_mode",
    "correlation_id",
    "message_id",
    "timestamp",
    "type",
    "app_id",
]


def publish(channel, exchange):
    lines = [json.loads(line) for line in sys.stdin if line.strip()]
    channel.confirm_delivery()
    for line in lines:
        channel.basic_publish(
            exchange=exchange,
            routing_key=line["routingKey"],
            body=json.dumps(line["body"], ensure_ascii=False).encode(),
            properties=pika.BasicProperties(**line["properties"]),
            mandatory=True,
        )
    show({"published": len(lines)})


def read(channel, exchange, binding, queue):
    if queue is None:
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, exchange, binding)
    channel.basic_consume(queue, received)
    show({"ready": True})
    channel.start_consuming()


def received(channel, method, properties, body):
    show(
        {
            "routingKey": method.routing_key,
            "properties": {name: getattr(properties, name) for name in PROPERTIES},
            "headers": {name: text(value) for name, value in (properties.headers or {}).items()},
            "body": json.loads(body),
        }
    )
    channel.basic_ack(method.delivery_tag)


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def show(line):
    print(json.dumps(line, default=str), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["publish", "read"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--exchange")
    parser.add_argument("--binding")
    parser.add_argument("--queue")
    given = parser.parse_args()
    connection = pika.BlockingConnection(pika.URLParameters(given.url))
    channel = connection.channel()
    if given.command == "publish":
        publish(channel, given.exchange)
    else:
        read(channel, given.exchange, given.binding, given.queue)
    connection.close()


main()
