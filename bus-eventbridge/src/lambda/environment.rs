//! What Lambda tells a function by its environment, and is told when the function cannot start.

use std::env;

use jitney_core::{Error, error_chain};
use lambda_runtime_api_client::{BoxError, Client, body::Body, build_request};
use serde_json::json;

/// Where Lambda is asked for invocations.
const API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Whether a value is one that Lambda sets.
type Check = fn(&str) -> bool;

/// Checks what the runtime takes for granted.
pub(super) fn check() -> Result<(), Error> {
    let wanted: [(&str, Check); 4] = [
        (API, is_address),
        ("AWS_LAMBDA_FUNCTION_NAME", |value| !value.is_empty()),
        ("AWS_LAMBDA_FUNCTION_VERSION", |value| !value.is_empty()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", |value| value.parse::<i32>().is_ok()),
    ];
    for (name, is_right) in wanted {
        let value = env::var(name).unwrap_or_default();
        if !is_right(&value) {
            let found = if value.is_empty() { "not set".to_owned() } else { format!("`{value}`") };
            return Err(Error::config(format!(
                "serving invocations of AWS Lambda: {name} is {found}, which Lambda sets for its functions; run this program \
                 there, or where something stands in for it, and elsewhere use `App::run_until`",
            )));
        }
    }
    Ok(())
}

/// Whether `value` is a host with or without a port.
fn is_address(value: &str) -> bool {
    let (host, port) = value.rsplit_once(':').unwrap_or((value, "80"));
    let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-');
    !host.is_empty() && host.chars().all(letter) && port.parse::<u16>().is_ok()
}

/// Tells Lambda that the function cannot start; where it cannot be told, it sees the process end.
pub(super) async fn report(error: &Error) {
    if let Err(unheard) = told(error).await {
        tracing::warn!(error = %unheard, "lambda could not be told why the function does not start");
    }
}

async fn told(error: &Error) -> Result<(), BoxError> {
    let said = json!({ "errorType": "Jitney.Start", "errorMessage": error_chain(error), "stackTrace": [] });
    let request = build_request().method("POST").uri("/2018-06-01/runtime/init/error");
    let request = request.header("lambda-runtime-function-error-type", "Jitney.Start");
    let request = request.body(Body::from(said.to_string()))?;
    Client::builder().build()?.call(request).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for right in ["127.0.0.1:9001", "localhost", "runtime-api.local:80"] {
            assert!(is_address(right), "{right}");
        }
        for wrong in ["", ":80", "host:", "host:99999", "http://host:80", "a b:80", "a:b:80"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }
}
