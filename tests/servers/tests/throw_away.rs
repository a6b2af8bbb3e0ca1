//! Real nodes: killed, frozen, out of space, and each time back again.

use std::time::Duration;

use jitney_test_servers::{Error, Node, ThrowAway};

const LIMIT: Duration = Duration::from_secs(180);
const MIB: u64 = 1024 * 1024;

fn create_topic(node: &Node) {
    topics(node, &["--create", "--topic", "orders", "--partitions", "1"]);
}

fn topics(node: &Node, args: &[&str]) -> String {
    node.tool("org.apache.kafka.tools.TopicCommand", args).expect("the tool runs")
}

#[test]
fn a_killed_node_starts_again_with_its_data_and_a_frozen_one_goes_on() {
    let node = ThrowAway::new("killed").set("message.max.bytes", 2000).start(LIMIT).unwrap();
    create_topic(&node);
    let first = node.pid();

    node.kill().unwrap();
    assert_eq!(node.pid(), None);
    assert!(matches!(node.wait_ready(LIMIT), Err(Error::NotRunning { .. })));

    node.start().unwrap();
    node.start().unwrap();
    node.wait_ready(LIMIT).unwrap();
    assert_ne!(node.pid(), first);
    assert!(topics(&node, &["--list"]).contains("orders"));

    node.freeze().unwrap();
    assert!(matches!(node.wait_ready(Duration::ZERO), Err(Error::NotReady { .. })));
    node.thaw().unwrap();
    node.wait_ready(LIMIT).unwrap();
}

#[test]
fn a_full_disk_ends_the_node_and_room_revives_it() {
    let mut node = ThrowAway::new("full").small_disk(24 * MIB).start(LIMIT).unwrap();
    create_topic(&node);
    let records =
        ["--topic", "orders", "--num-records", "40", "--record-size", "900000", "--throughput", "-1"];
    let in_short =
        ["--command-property", "max.block.ms=300", "delivery.timeout.ms=3000", "request.timeout.ms=2000"];
    let args: Vec<_> = records.into_iter().chain(in_short).collect();
    // Whether the tool calls that a failure is its own affair.
    let printed = node.tool("org.apache.kafka.tools.ProducerPerformance", &args);
    assert!(node.ended(LIMIT), "36 MB fit on a disk of 24 MiB: {printed:?}");

    node.enlarge_disk(1024 * MIB).unwrap();
    node.start().unwrap();
    node.wait_ready(LIMIT).unwrap();
    assert!(topics(&node, &["--list"]).contains("orders"));
}
