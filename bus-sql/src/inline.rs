//! What the stores of all databases have in common about inline projections.

use std::collections::HashSet;
use std::sync::Arc;

use jitney_core::Env;
use jitney_sourcing::projection::{InlineProjection, InlineReadModel, MakeInline};
use jitney_sourcing::{Error, ErrorKind, EventStore};

/// Makes all of `inline` inline in the database of `store` and `model`.
pub(crate) async fn made_inline<M: InlineReadModel>(
    inline: &[MakeInline<M>],
    store: &(impl EventStore + Clone),
    model: M,
    env: &Env,
) -> Result<Vec<InlineProjection<M::Connection>>, Error> {
    let mut made: Vec<InlineProjection<_>> = Vec::with_capacity(inline.len());
    for one in inline {
        made.push(one.make(Arc::new(store.clone()), model.clone(), env.clone()).await?);
    }
    let mut names = HashSet::new();
    if let Some(twice) = made.iter().find(|one| !names.insert(one.name())) {
        let what =
            format!("opening a store: two inline projections are called `{}`; rename one", twice.name());
        return Err(Error::new(ErrorKind::Config, what));
    }
    Ok(made)
}
