//! What all contestants have alike.

/// The topic of the events.
pub const TOPIC: &str = "Order-events";

/// The partitions of the topic.
pub const PARTITIONS: u32 = 4;

/// What all producers are set to, beside what the transport sets by itself.
pub const PRODUCER_SETTINGS: [(&str, &str); 5] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "5"),
    ("queue.buffering.max.kbytes", "65536"),
];

/// What all consumers are set to, beside what the transport sets by itself.
pub const CONSUMER_SETTINGS: [(&str, &str); 5] = [
    ("fetch.queue.backoff.ms", "5"),
    ("queued.max.messages.kbytes", "16384"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("auto.commit.interval.ms", "500"),
];
