//! Scenarios on a server that they have to themselves.

use jitney_test_servers::{Error, Exclusive, Heal};

use super::child::{self, Role};
use super::run::{HEALING, Run, begin, each_seed, in_runtime};

/// Runs `scenario` on the server that `find` finds as often as the environment says; `url` is where its processes connect to.
/// `test` is the path of the test that calls this.
#[allow(clippy::needless_pass_by_value, reason = "a closure is given away")]
pub(crate) fn on_exclusive<S: Heal>(
    test: &'static str,
    find: impl FnOnce() -> Result<Exclusive<S>, Error>,
    url: impl Fn(&S) -> String,
    scenario: impl AsyncFn(&mut Run, &Exclusive<S>),
) {
    if child::obeyed() {
        return;
    }
    let _alone = begin();
    let server = match find() {
        Ok(server) => server,
        Err(error) if error.is_given() => {
            println!("skipped: {test}: {error}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    each_seed(|seed| {
        server.heal(HEALING).unwrap();
        in_runtime(async {
            let mut run = Run::new(test, seed, url(&server)).await;
            scenario(&mut run, &server).await;
            run.end();
        });
    });
}

/// Has the queue of the group declared that reads in `role`: a queue holds what is published from then on, and the first
/// member to come declares it.
pub(crate) async fn declare(run: &mut Run, role: &Role) {
    let first = run.app("first", role.clone()).await;
    first.shutdown().await.unwrap();
}
