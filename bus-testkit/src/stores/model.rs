//! Random sequences of calls, to the store and to a model of it that is simple enough to be right.

mod plain;
mod play;
mod step;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use self::play::Play;
use self::step::Step;
use super::trial::Trial;
use crate::conformance::failure::{Failure, Outcome};

/// So many sequences of steps.
const CASES: usize = 40;

/// So many shorter sequences are tried when one fails.
const SHORTER: usize = 200;

pub(super) async fn behaves_like_its_model(trial: &Trial<'_>) -> Outcome {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&trial.fixture.seed().to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let steps = step::steps();
    for case in 1..=CASES {
        let drawn = steps.new_tree(&mut runner);
        let mut tree = drawn.map_err(|reason| Failure(format!("no steps could be drawn: {reason}")))?;
        if let Err(failure) = play(trial, &tree.current()).await {
            let (steps, Failure(reason)) = shortest(trial, &mut tree, failure).await;
            let list: String = steps.iter().map(|step| format!("\n  {step:?}")).collect();
            return Err(Failure(format!("{reason}\nin case {case}, with the steps:{list}")));
        }
    }
    Ok(())
}

/// Plays steps on streams that are new.
async fn play(trial: &Trial<'_>, steps: &[Step]) -> Outcome {
    let mut play = Play::begin(trial).await?;
    for (number, step) in steps.iter().enumerate() {
        let played = play.step(step).await;
        played.map_err(|Failure(reason)| Failure(format!("step {}, {step:?}: {reason}", number + 1)))?;
    }
    play.judge().await
}

/// The shortest of the sequences that were tried and fail, with its failure.
async fn shortest(
    trial: &Trial<'_>,
    tree: &mut impl ValueTree<Value = Vec<Step>>,
    failure: Failure,
) -> (Vec<Step>, Failure) {
    let mut shortest = (tree.current(), failure);
    let mut smaller = tree.simplify();
    for _ in 0..SHORTER {
        if !smaller {
            break;
        }
        let steps = tree.current();
        smaller = match play(trial, &steps).await {
            Err(failure) => {
                shortest = (steps, failure);
                tree.simplify()
            }
            Ok(()) => tree.complicate(),
        };
    }
    shortest
}
