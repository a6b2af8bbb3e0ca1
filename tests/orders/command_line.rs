//! The command line: what is printed where, and with which code it ends.

use std::path::PathBuf;

use clap::Parser;
use indicatif::ProgressBar;
use serde_json::Value;

use crate::bench::line;
use crate::orders::arguments::Arguments;
use crate::orders::cli::{FAILED, FINE, MISUSED, REJECTED, perform};

/// A directory of its own for a test, and what a run there printed.
struct Place(PathBuf);

struct Printed {
    code: u8,
    out: String,
    err: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let place = std::env::temp_dir().join(format!("jitney-orders-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&place).unwrap();
        Place(place)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    async fn run(&self, input: &[u8], arguments: &[&str]) -> Printed {
        std::fs::write(self.path("input"), input).unwrap();
        let (input, rejects) = (self.path("input"), self.path("rejects"));
        // Without a bus, it would depend on the environment and on what is compiled in.
        let bus = if arguments.contains(&"--bus") { &[][..] } else { &["--bus", "memory://"] };
        let fixed = ["orders", "--input", &input, "--rejects", &rejects];
        run(&[&fixed, bus, arguments].concat()).await
    }
}

async fn run(arguments: &[&str]) -> Printed {
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = perform(&arguments, &ProgressBar::hidden(), &mut out, &mut err).await;
    Printed { code, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed stays in the system's directory for such files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[jitney::test]
async fn json_is_one_object_and_nothing_else() {
    let place = Place::new("json");
    let Printed { code, out, err } =
        place.run(line("A", 3, "1.10").as_bytes(), &["--json", "--follow", "A"]).await;
    assert_eq!(code, FINE, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    let names: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "cancelled",
            "confirmed",
            "deadLettered",
            "duplicates",
            "eventsByType",
            "gross",
            "handled",
            "lines",
            "net",
            "orders",
            "refused",
            "retries",
            "shipped",
            "topCustomers",
        ]
    );
    assert_eq!((&report["net"], &report["orders"]), (&Value::from("3.30"), &Value::from(1)));
    assert_eq!(
        report["topCustomers"][0],
        serde_json::json!({"customerId": "VINET", "orders": 1, "net": "3.30"})
    );
    assert!(err.starts_with("order A, correlation "), "{err}");
}

#[jitney::test]
async fn bad_lines_are_said_kept_and_do_not_stop_the_rest() {
    let good = line("A", 1, "1.00");
    let bad: [(Vec<u8>, &str); 14] = [
        (b"no json".into(), "not JSON: expected ident (column 2)"),
        (b"[1]".into(), "not a JSON object"),
        (good.trim_end().replace(r#""customerId":"VINET","#, "").into(), "missing field `customerId`"),
        (good.trim_end().replace(r#","price":1.00"#, "").into(), "missing field `price`"),
        (good.trim_end().replace("VINET", "").into(), "`customerId` is empty"),
        (
            good.trim_end().replace(r#""quantity":1"#, r#""quantity":-1"#).into(),
            "the quantity is -1, and must be from 1 to",
        ),
        (
            good.trim_end().replace(r#""quantity":1"#, r#""quantity":0"#).into(),
            "the quantity is 0, and must be from 1 to",
        ),
        (good.trim_end().replace(r#""quantity":1"#, r#""quantity":1.5"#).into(), "floating point `1.5`"),
        (
            format!("{}\"items\":[]}}", good.split("\"items\"").next().unwrap()).into(),
            "the order has no items",
        ),
        (good.trim_end().replace(r#""11""#, r#""no such""#).into(), "there is no product `no such`"),
        (good.trim_end().replace("1.00", "-1.00").into(), "the price is -1.00, and must be from 0"),
        (good.trim_end().replace("1.00", "1e28").into(), "must be from 0 to below 1000000000"),
        (good.trim_end().replace(r#""discount":0"#, r#""discount":1.01"#).into(), "the discount is 1.01"),
        (b"\xff\xfe".into(), "not UTF-8"),
    ];
    let place = Place::new("bad-lines");
    let mut input = good.clone().into_bytes();
    let mut rejects = Vec::new();
    for (line, _) in &bad {
        rejects.extend([&line[..], b"\n"].concat());
    }
    input.extend(&rejects);
    input.extend(b"\n");
    input.extend(line("B", 1, "1.00").into_bytes());
    let Printed { code, out, err } = place.run(&input, &["--json"]).await;
    assert_eq!(code, REJECTED, "{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["orders"], &report["net"]), (&Value::from(2), &Value::from("2.00")));
    let said: Vec<_> = err.lines().collect();
    assert_eq!(said.len(), bad.len() + 1, "{err}");
    for (index, (_, why)) in bad.iter().enumerate() {
        let place = format!("line {}: ", index + 2);
        assert!(said[index].starts_with(&place) && said[index].contains(why), "{why}: {}", said[index]);
    }
    let path = place.path("rejects");
    assert_eq!(said[bad.len()], format!("rejected {} of the lines; they are in {path}", bad.len()));
    assert_eq!(std::fs::read(path).unwrap(), rejects);
}

#[jitney::test]
async fn no_file_of_rejects_is_made_without_any() {
    let place = Place::new("no-rejects");
    let Printed { code, out, err } = place.run(line("A", 1, "1.00").as_bytes(), &["--follow", "A"]).await;
    assert_eq!((code, &*err), (FINE, ""));
    assert!(!std::fs::exists(place.path("rejects")).unwrap());
    for part in [
        "OrderConfirmed                  1",
        "VINET              1         1.00",
        "orders 1, lines 1, gross 1.00, net 1.00",
        "confirmed 1, cancelled 0, shipped 0, refused 0",
        "retries 0, duplicates 0, dead letters 0",
        "order A, correlation ",
        "          OrderConfirmed 1.0",
    ] {
        assert!(out.contains(part), "`{part}` is not in\n{out}");
    }
}

#[jitney::test]
async fn failures_end_with_1_and_say_what_to_do() {
    let place = Place::new("failures");
    let order = line("A", 1, "1.00");
    let unknown = place.run(order.as_bytes(), &["--bus", "carrier-pigeon://roof"]).await;
    assert_eq!(unknown.code, FAILED);
    assert!(unknown.err.contains("no backend for `carrier-pigeon://`"), "{}", unknown.err);
    let missing = place.run(order.as_bytes(), &["--history", "/no/such/file"]).await;
    assert_eq!((missing.code, &*missing.out), (FAILED, ""));
    assert!(missing.err.starts_with("error: reading /no/such/file: "), "{}", missing.err);
    std::fs::create_dir(place.path("rejects")).unwrap();
    let unwritable = place.run(b"no order\n", &[]).await;
    assert_eq!(unwritable.code, FAILED);
    let said = format!("writing rejected lines to {}: ", place.path("rejects"));
    assert!(unwritable.err.contains(&said), "{}", unwritable.err);
}

#[test]
fn wrong_arguments_are_refused() {
    for wrong in [
        "--repeat 0",
        "--repeat two",
        "--rounds 2",
        "--role stock",
        "--state there",
        "--role chef --state there",
        "--role intake --state there --history orders",
    ] {
        assert!(
            Arguments::try_parse_from(["orders"].into_iter().chain(wrong.split(' '))).is_err(),
            "{wrong}"
        );
    }
}

#[jitney::test]
async fn arguments_that_do_not_go_together_end_with_2_and_say_what_does() {
    let place = Place::new("misused");
    for (wrong, said) in [
        ("--role report --role stock", "give it to a process of its own"),
        ("--role stock --input orders", "add `--role intake`"),
        ("--role stock --repeat 2", "add `--role intake`"),
        ("--role stock --json", "`--role report`"),
        ("--role intake --follow A", "`--role report`"),
        ("--role stock --bus memory://", "nobody else can join memory://"),
    ] {
        let state = place.path("state");
        let printed =
            run(&["orders", "--state", &state].into_iter().chain(wrong.split(' ')).collect::<Vec<_>>()).await;
        assert_eq!((printed.code, &*printed.out), (MISUSED, ""), "{wrong}");
        assert!(printed.err.contains(said), "{wrong}: {}", printed.err);
        assert!(!std::fs::exists(state).unwrap(), "{wrong} has made the state");
    }
}
