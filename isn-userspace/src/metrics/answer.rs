//! What is answered to a request (RFC 9110): two paths, read only.

use std::{convert::Infallible, sync::Arc};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};

use super::{
    collector,
    exposition::Format,
    reading::{Reading, Shared},
    server::Context,
};
use crate::{failure::Failure, report::visible};

type Answer = Response<Full<Bytes>>;

const PLAIN: &str = "text/plain; charset=utf-8";
const PATHS: &str = "isnguard has /metrics and /healthz here\n";

/// Answers one request.
pub async fn answer<B>(request: Request<B>, context: Arc<Context>) -> Result<Answer, Infallible> {
    let path = request.uri().path();
    let is_read = [Method::GET, Method::HEAD].contains(request.method());
    Ok(match path {
        "/metrics" | "/healthz" if !is_read => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n".into());
            let allowed = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, allowed);
            refused
        }
        "/metrics" => {
            let accept = request.headers().get_all(ACCEPT).iter();
            let format = Format::accepted(accept.filter_map(|it| it.to_str().ok()));
            metrics(&context.reading().await, format)
        }
        "/healthz" => health(&context.reading().await),
        _ => plain(StatusCode::NOT_FOUND, PATHS.into()),
    })
}

fn metrics(reading: &Shared, format: Format) -> Answer {
    let reading = match reading {
        Ok(reading) => reading,
        Err(failure) => return unreadable(failure),
    };
    match collector::open_metrics(reading) {
        Ok(written) => with(StatusCode::OK, format.content_type(), format.of(written)),
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// As `status` says it: 200 if nothing is wrong, else 503 with what is, a line each.
fn health(reading: &Shared) -> Answer {
    match reading {
        Ok(reading) if reading.status.problems.is_empty() => plain(StatusCode::OK, "ok\n".into()),
        Ok(reading) => unavailable(problems(reading)),
        Err(failure) => unreadable(failure),
    }
}

fn problems(reading: &Reading) -> String {
    let problems = reading.status.problems.iter();
    let lines: Vec<String> = problems.map(|it| visible(it)).collect();
    lines.join(
        "
",
    ) + "
"
}

fn unreadable(failure: &Failure) -> Answer {
    unavailable(format!("{failure}; {}\n", failure.remedy()))
}

fn unavailable(why: String) -> Answer {
    plain(StatusCode::SERVICE_UNAVAILABLE, why)
}

fn plain(status: StatusCode, text: String) -> Answer {
    with(status, PLAIN, text)
}

fn with(status: StatusCode, kind: &'static str, text: String) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    answer
}
