//! What this transport says when it cannot do what was asked.

use std::error::Error as StdError;
use std::fmt::Debug;

use aws_sdk_eventbridge::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use jitney_core::{Error, ErrorKind};

/// What AWS said of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The code of the error; none where no answer came that has one.
    pub(crate) code: Option<String>,
    /// The status of the answer, where one came.
    pub(crate) status: Option<u16>,
    pub(crate) message: String,
    /// The request was not sent, or not to anybody.
    pub(crate) is_unsent: bool,
    /// The request itself is wrong, or cannot be signed.
    pub(crate) is_wrong: bool,
}

impl Said {
    pub(crate) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Debug + 'static,
    {
        let code = error.as_service_error().and_then(|error| error.code());
        let message = match error.as_service_error() {
            Some(error) => error.message().unwrap_or("no message").to_owned(),
            None => DisplayErrorContext(error).to_string(),
        };
        Said {
            code: code.map(str::to_owned),
            status: error.raw_response().map(|response| response.status().as_u16()),
            message,
            is_unsent: is_unsent(error),
            is_wrong: matches!(error, SdkError::ConstructionFailure(_)),
        }
    }

    /// Whether AWS asks for fewer requests.
    pub(crate) fn is_throttled(&self) -> bool {
        self.status == Some(429) || self.code.as_deref().is_some_and(is_throttling)
    }

    /// Whether the same request may succeed later. An error with the status of a success is an answer that was cut off.
    pub(crate) fn is_retryable(&self) -> bool {
        let is_refusal = |status: u16| (300..500).contains(&status);
        !self.is_wrong && (self.is_throttled() || !self.status.is_some_and(is_refusal))
    }

    /// What helps, where that is known.
    fn advice(&self) -> &'static str {
        match self.code.as_deref().unwrap_or_default() {
            "AccessDeniedException" | "AccessDenied" => "; grant it to this role or user",
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "ExpiredTokenException"
            | "ExpiredToken" => "; check the credentials",
            "ManagedRuleException" => "; the rule is another AWS service's: use another group name",
            "LimitExceededException" => "; ask AWS for a higher quota, or remove what is not used",
            _ => "",
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{}{}", self.message, self.advice())
    }
}

/// Whether `code` asks for fewer requests.
pub(crate) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingException"
            | "Throttling"
            | "ThrottledException"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "RequestLimitExceeded"
            | "SlowDown"
    )
}

/// Whether nobody can have got the request.
fn is_unsent<E>(error: &SdkError<E>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => true,
        SdkError::DispatchFailure(failure) => {
            let mut cause = failure.as_connector_error().and_then(StdError::source);
            while let Some(error) = cause {
                if let Some(error) = error.downcast_ref::<std::io::Error>()
                    && error.kind() == std::io::ErrorKind::ConnectionRefused
                {
                    return true;
                }
                cause = error.source();
            }
            false
        }
        _ => false,
    }
}

/// `doing` was not possible, as AWS says.
pub(crate) fn failed<E>(doing: &str, error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + StdError + Debug + 'static,
{
    let said = Said::of(error);
    Error::new(ErrorKind::Transport, format!("{doing}: {said}")).retryable(said.is_retryable())
}

/// The transport was closed.
pub(crate) fn closed(doing: &str) -> Error {
    Error::new(ErrorKind::Closed, format!("{doing}: the eventbridge transport is closed; connect a new one"))
}

#[cfg(test)]
mod tests {
    use aws_sdk_eventbridge::config::http::HttpResponse;
    use aws_sdk_eventbridge::operation::put_events::PutEventsError;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[test]
    fn an_answer_whose_connection_broke_may_come_whole_the_next_time() {
        let said = |status: u16| {
            let head = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
            Said::of(&SdkError::<PutEventsError>::response_error("the connection is closed", head))
        };
        assert!(said(200).is_retryable() && !said(200).is_unsent);
        assert!(said(503).is_retryable());
        assert!(!said(403).is_retryable());
    }
}
