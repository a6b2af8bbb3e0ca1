//! Connecting, and what is said when that is not possible.

use jitney_core::{Error, ErrorKind};
use serde_json::json;

use super::answers::*;

#[test]
fn an_archive_of_another_bus_is_refused() {
    run(async {
        let aws = Aws::new(|_| {
            Answer::Is(
                200,
                json!({ "ArchiveName": "all", "EventSourceArn": "arn:aws:events:eu-west-1:1:event-bus/other" }),
            )
        });
        let error = aws.builder().archive("all").connect().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("event-bus/other"), "{error}");
    });
}

#[test]
fn a_missing_archive_is_an_error_where_nothing_may_be_created() {
    run(async {
        let aws = Aws::new(|request| match request.operation.as_str() {
            "DescribeArchive" => Answer::error(400, "ResourceNotFoundException", "no archive"),
            _ => Answer::Is(200, json!({ "ArchiveArn": "arn", "State": "ENABLED" })),
        });
        let error = aws.builder().archive("all").create(false).connect().await.unwrap_err();
        assert!(error.to_string().contains("create=true"), "{error}");
        assert!(aws.requests("CreateArchive").is_empty());
        aws.builder().archive("all").connect().await.unwrap();
        assert_eq!(aws.requests("CreateArchive").len(), 1);
    });
}

#[test]
fn nothing_that_is_printed_holds_the_secret() {
    run(async {
        let aws = Aws::new(|_| Answer::error(400, "AccessDeniedException", "no"));
        let builder = aws.builder();
        assert!(!format!("{builder:?}").contains("s3cret"));
        let bridge = builder.connect().await.unwrap();
        assert!(!format!("{bridge:?}").contains("s3cret"));
        let error: Error =
            bridge.plan(&[jitney_core::transport::Subscription::new("g", Vec::new())]).await.unwrap_err();
        assert!(
            !format!("{error:?}").contains("s3cret") && error.to_string().contains("AccessDenied"),
            "{error:?}"
        );
    });
}
