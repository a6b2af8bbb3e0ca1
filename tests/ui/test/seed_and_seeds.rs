#[jitney::test(seeds = 3, seed = 7)]
async fn works() {}

fn main() {}
