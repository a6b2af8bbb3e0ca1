#![allow(unused)]

#[jitney::test]
fn works() {}

fn main() {}
