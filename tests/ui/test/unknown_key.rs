#[jitney::test(seed_count = 3)]
async fn works() {}

fn main() {}
