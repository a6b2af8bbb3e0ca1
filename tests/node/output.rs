//! What a program for Node.js takes and prints, a JSON value a line.

use std::io::{BufRead, BufReader, Write};
use std::marker::PhantomData;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long to wait for anything: a server that has just started takes seconds for its first group.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// A program while it runs, and what it prints; ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Output<T> {
    child: Child,
    lines: Receiver<String>,
    values: PhantomData<T>,
}

/// Has a program take `values`, and waits until it has ended well; answers what it printed.
pub(crate) fn feed<T: Serialize>(command: &mut Command, values: &[T]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for value in values {
        writeln!(input, "{}", serde_json::to_string(value).unwrap()).unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

impl<T: DeserializeOwned> Output<T> {
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Output { child, lines, values: PhantomData }
    }

    /// The next line.
    pub(crate) fn next_line(&mut self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("the program prints another line")
    }

    /// The next value.
    pub(crate) fn next(&mut self) -> T {
        let line = self.next_line();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

impl<T> Drop for Output<T> {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
