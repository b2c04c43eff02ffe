//! The invocation of a function, in this process or at a Lambda endpoint.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use crate::lambda::{InvokeError, Lambda};
use crate::template::Function;

/// The target of invocations.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The functions of this process.
    InProcess(Arc<Lambda>),
    /// A Lambda endpoint, such as that of `sam local start-lambda`.
    Endpoint(String, reqwest::Client),
}

impl Target {
    pub(super) async fn invoke(
        &self,
        function: &Function,
        id: &str,
        payload: Bytes,
    ) -> Result<(), InvokeError> {
        let logical_id = &function.logical_id;
        match self {
            Self::InProcess(lambda) => lambda.invoke(logical_id, id, payload).await.map(drop),
            Self::Endpoint(url, client) => {
                // SAM CLI uses logical ids as function names, cargo-lambda uses binaries.
                for name in [logical_id, &function.binary] {
                    let url = format!(
                        "{}/2015-03-31/functions/{name}/invocations",
                        url.trim_end_matches('/')
                    );
                    // Older versions of `sam local start-lambda` support synchronous invocations only.
                    for kind in ["Event", "RequestResponse"] {
                        if post(client, &url, kind, payload.clone()).await? {
                            return Ok(());
                        }
                    }
                }
                Err(InvokeError::new(
                    "Local.Refused",
                    format!(
                        "{url} rejects invocations. Check the endpoint and the names of its functions"
                    ),
                ))
            }
        }
    }
}

/// Returns whether the endpoint accepted the event. An error of the function is returned as an error.
async fn post(
    client: &reqwest::Client,
    url: &str,
    kind: &str,
    payload: Bytes,
) -> Result<bool, InvokeError> {
    let failed =
        |error: reqwest::Error| InvokeError::new("Local.Unreachable", format!("{url}: {error}"));
    let request = client
        .post(url)
        .header("X-Amz-Invocation-Type", kind)
        .header("Content-Type", "application/json");
    let response = request.body(payload).send().await.map_err(failed)?;
    if !response.status().is_success() {
        return Ok(false);
    }
    let is_error = response.headers().contains_key("x-amz-function-error");
    let body: Value =
        serde_json::from_slice(&response.bytes().await.map_err(failed)?).unwrap_or_default();
    // Older versions of SAM CLI do not set the header.
    if is_error || body.get("errorType").is_some() {
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        return Err(InvokeError {
            error_type: text("errorType"),
            error_message: text("errorMessage"),
        });
    }
    Ok(true)
}
