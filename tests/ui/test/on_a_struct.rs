#![allow(unused)]

#[jitney::test]
struct Works;

fn main() {}
