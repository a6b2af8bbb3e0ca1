#[jitney::test(seeds = 0)]
async fn works() {}

fn main() {}
