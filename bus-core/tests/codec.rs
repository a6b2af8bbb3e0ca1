//! The wire formats, a module for each: what is written is read again, and so is what others write.

#![allow(clippy::unwrap_used)]

mod codec {
    mod cloud_events;
    mod cloud_events_any;
    mod cloud_events_sdk;
    mod native_json;
    mod sequenced_json;
    mod support;
}
