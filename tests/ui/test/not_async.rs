#[jitney::test]
fn works() {}

fn main() {}
