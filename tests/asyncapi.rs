//! The AsyncAPI document of an application, as AsyncAPI's own parser reads it.

#![allow(clippy::unwrap_used)]

mod asyncapi {
    #[path = "../node/install.rs"]
    #[allow(dead_code)]
    mod install;

    mod document;
    mod parsed;
}
