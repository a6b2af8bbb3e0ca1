#[jitney::test]
async fn works(app: u8) {}

fn main() {}
