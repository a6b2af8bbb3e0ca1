"""Another service's side of a topic whose schemas are in a registry, by Confluent's client.

    python registry.py write FORMAT --bootstrap HOSTS --registry URL --topic NAME --key KEY --schema FILE
    python registry.py read FORMAT --bootstrap HOSTS --registry URL --topic NAME --key KEY

FORMAT is `json`, `avro` or `protobuf`. `write` takes the value as JSON from its input, registers the schema in the file under
`NAME-value`, and prints {"written": true} once the broker has the record. `read` reads the topic from its beginning, and prints the
first record with the key as {"value": …, "headers": {…}}. The message of Protobuf is the one of `order_sent.proto`, which is built
here since no compiler is at hand.
"""

import argparse
import json
import sys
import time
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto


def order_sent():
    file = descriptor_pb2.FileDescriptorProto(name="order_sent.proto", package="registry_tests", syntax="proto3")
    sent = file.message_type.add(name="OrderSent")
    parcel = file.message_type.add(name="Parcel")
    entry = parcel.nested_type.add(name="TagsEntry")
    entry.options.map_entry = True

    def add(message, name, number, kind, repeated=False, of=None):
        label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
        message.field.add(name=name, number=number, type=kind, label=label, type_name=of)

    add(sent, "order_id", 1, FIELD.TYPE_STRING)
    add(sent, "total_cents", 2, FIELD.TYPE_INT64)
    add(sent, "parcels", 3, FIELD.TYPE_MESSAGE, True, ".registry_tests.Parcel")
    add(sent, "before", 4, FIELD.TYPE_MESSAGE, False, ".registry_tests.OrderSent")
    add(entry, "key", 1, FIELD.TYPE_STRING)
    add(entry, "value", 2, FIELD.TYPE_STRING)
    add(parcel, "grams", 1, FIELD.TYPE_UINT32)
    add(parcel, "tags", 2, FIELD.TYPE_MESSAGE, True, ".registry_tests.Parcel.TagsEntry")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("registry_tests.OrderSent"))


def write(given, client):
    value, context = json.load(sys.stdin), SerializationContext(given.topic, MessageField.VALUE)
    if given.format == "protobuf":
        kind = order_sent()
        value = json_format.ParseDict(value, kind())
        serializer = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
    else:
        make = {"json": JSONSerializer, "avro": AvroSerializer}[given.format]
        with open(given.schema, encoding="utf-8") as schema:
            text = schema.read()
        serializer = make(text, client) if given.format == "json" else make(client, text)
    producer = Producer({"bootstrap.servers": given.bootstrap})
    failed = []
    producer.produce(
        given.topic,
        key=given.key,
        value=serializer(value, context),
        on_delivery=lambda error, _: failed.append(error) if error else None,
    )
    producer.flush()
    assert not failed, failed
    show({"written": True})


def read(given, client):
    if given.format == "json":
        deserialize = JSONDeserializer(None, schema_registry_client=client)
    elif given.format == "avro":
        deserialize = AvroDeserializer(client)
    else:
        # Without the registry: what it says of a file is not what Apicurio answers, and the class knows the message.
        deserialize = ProtobufDeserializer(order_sent(), {"use.deprecated.format": False})
    consumer = Consumer(
        {
            "bootstrap.servers": given.bootstrap,
            "group.id": str(uuid.uuid4()),
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([given.topic])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        record = consumer.poll(1.0)
        if record is None or record.error() or record.key() != given.key.encode():
            continue
        value = deserialize(record.value(), SerializationContext(given.topic, MessageField.VALUE))
        if given.format == "protobuf":
            value = json_format.MessageToDict(value, preserving_proto_field_name=True)
        headers = {name: text.decode() for name, text in record.headers() or []}
        show({"value": value, "headers": headers})
        consumer.close()
        return
    sys.exit(f"no record with the key {given.key} came within 120 seconds")


def show(line):
    print(json.dumps(line, default=str), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["write", "read"])
    parser.add_argument("format", choices=["json", "avro", "protobuf"])
    for name in ["bootstrap", "registry", "topic", "key"]:
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--schema")
    given = parser.parse_args()
    client = SchemaRegistryClient({"url": given.registry})
    {"write": write, "read": read}[given.command](given, client)


main()
