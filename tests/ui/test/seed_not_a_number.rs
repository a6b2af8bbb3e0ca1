#[jitney::test(seed = "seven")]
async fn works() {}

fn main() {}
