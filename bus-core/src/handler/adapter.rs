//! From a plain async function to a [`Handler`].

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{
    Context, FromContext, Handler, HandlerError, HandlerInput, IntoReply, Outcome, Reply, Requirement,
    Verdict,
};

/// An async function whose first argument is an event and whose others are extractors.
pub trait HandlerFn<Args>: Send + Sync + Sized + 'static {
    /// The first argument.
    type Input: HandlerInput;

    /// What the extractors need.
    fn requirements() -> Vec<Requirement>;

    /// Reads the arguments and runs the function.
    fn run<'a>(&'a self, cx: Context<'a>) -> impl Future<Output = Reply> + Send + 'a;

    /// This function as a handler.
    fn into_handler(self) -> Arc<dyn Handler>
    where
        Args: Send + 'static,
    {
        Arc::new(Adapter::<Self, Args> { function: self, args: PhantomData })
    }
}

struct Adapter<F, Args> {
    function: F,
    args: PhantomData<fn(Args)>,
}

impl<F: HandlerFn<Args>, Args: 'static> Handler for Adapter<F, Args> {
    fn handle<'a>(&'a self, cx: Context<'a>) -> BoxFuture<'a, Reply> {
        Box::pin(self.function.run(cx))
    }
}

fn failed(error: HandlerError) -> Reply {
    Reply::All(Outcome::from(Verdict::Failed(error)))
}

macro_rules! handler_fn {
    ($($($extractor:ident)*;)*) => {$(
        impl<F, Fut, Input, $($extractor,)*> HandlerFn<(Input, $($extractor,)*)> for F
        where
            F: Fn(Input, $($extractor),*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output: IntoReply> + Send + 'static,
            Input: HandlerInput + 'static,
            $($extractor: FromContext + 'static,)*
        {
            type Input = Input;

            fn requirements() -> Vec<Requirement> {
                let all: [Option<Requirement>; _] = [$($extractor::requirement()),*];
                all.into_iter().flatten().collect()
            }

            #[allow(non_snake_case)]
            async fn run<'a>(&'a self, cx: Context<'a>) -> Reply {
                let input = match Input::read(cx.events()) {
                    Ok(input) => input,
                    Err(error) => return failed(HandlerError::permanent(error)),
                };
                $(let $extractor = match $extractor::from_context(&cx).await {
                    Ok(extracted) => extracted,
                    Err(error) => return failed(error),
                };)*
                self(input, $($extractor),*).await.into_reply()
            }
        }
    )*};
}

handler_fn! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E G;
    A B C D E G H;
}
