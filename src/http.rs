//! The HTTP endpoint: is it alive, is it ready, how is it doing, and what are the features of this seller.
//!
//! | path | answers |
//! |---|---|
//! | `/livez`, `/-/healthy`, `/health` | 200 while the process does its work, else 503: start it again |
//! | `/readyz`, `/-/ready` | 200 while what it says is up to date, else 503: ask another one |
//! | `/metrics` | numbers for Prometheus |
//! | `/status` | all that is known, as JSON |
//! | `POST /get-online-features` | the last features of some keys, see [`feast`] |
//!
//! `?verbose` lists the checks of a probe as JSON. Served by one thread with a runtime of its own: nothing of it is in the path of
//! the data, and a run that ends takes it along. There is no TLS and no password, so it listens on loopback unless told otherwise.

pub mod ask;

use crate::metrics::checks::{self, Limits};
use crate::metrics::status::{self, Verdict};
use crate::metrics::{Metrics, text};
use crate::serving::Serving;
use crate::serving::feast::{self, Answer};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, oneshot};

/// A client that has not said what it wants by then is let go.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections at a time; more of them wait.
const CONNECTIONS: usize = 512;

/// Bytes of a request for features.
const MOST_BYTES: usize = 1 << 20;

/// The watermark from which features were answered.
const WATERMARK: HeaderName = HeaderName::from_static("vitrine-watermark");

const JSON: &str = "application/json";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The endpoint while it serves; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens, and serves from now on.
    ///
    /// # Errors
    /// When the address is in use or not ours, or the system gives no thread.
    pub fn start(
        address: SocketAddr,
        metrics: Arc<Metrics>,
        limits: Limits,
        serving: Option<Arc<Serving>>,
    ) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        let (stop, stopped) = oneshot::channel();
        let asked = Arc::new(Asked { metrics, limits, serving });
        let serve = async move {
            if let Err(e) = serve(listener, asked).await {
                tracing::error!("the HTTP endpoint at {address} has ended: {e}");
            }
        };
        let until_stopped = move || {
            runtime.block_on(async move {
                tokio::spawn(serve);
                let _ = stopped.await; // the other end is dropped, which is the word
            });
        };
        let thread = std::thread::Builder::new().name("http".into()).spawn(until_stopped)?;
        tracing::info!(%address, "health and metrics over HTTP");
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has said why it ended
        }
    }
}

struct Asked {
    metrics: Arc<Metrics>,
    limits: Limits,
    /// What features are served from, on the process that has them.
    serving: Option<Arc<Serving>>,
}

async fn serve(listener: TcpListener, asked: Arc<Asked>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The connection was gone before it was taken, or there are no more file handles: neither ends the endpoint.
            Err(e) => {
                tracing::debug!("an HTTP connection was not accepted: {e}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let asked = asked.clone();
        let answer = service_fn(move |request| {
            let asked = asked.clone();
            async move { Ok::<_, Infallible>(asked.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .serve_connection(TokioIo::new(stream), answer);
        tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!("an HTTP connection broke: {e}");
            }
            drop(permit);
        });
    }
}

impl Asked {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() == "/get-online-features" {
            return self.features(request).await;
        }
        let verbose = request.uri().query().is_some_and(|q| q.split('&').any(|part| part.split('=').next() == Some("verbose")));
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return response(StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET\n".into());
        }
        let Asked { metrics, limits, .. } = self;
        match request.uri().path() {
            "/livez" | "/-/healthy" | "/health" => probe(Verdict::of(checks::live(metrics, limits)), verbose),
            "/readyz" | "/-/ready" => probe(Verdict::of(checks::ready(metrics, limits)), verbose),
            "/metrics" => match text::text(metrics) {
                Ok(text) => response(StatusCode::OK, text::CONTENT_TYPE, text),
                Err(e) => response(StatusCode::INTERNAL_SERVER_ERROR, PLAIN, format!("{e}\n")),
            },
            "/status" => response(StatusCode::OK, JSON, format!("{}\n", status::status(metrics, limits))),
            "/" => response(StatusCode::OK, PLAIN, "/livez\n/readyz\n/metrics\n/status\n/get-online-features\n".into()),
            _ => response(
                StatusCode::NOT_FOUND,
                PLAIN,
                "there are /livez, /readyz, /metrics, /status and /get-online-features\n".into(),
            ),
        }
    }
}

impl Asked {
    /// `POST /get-online-features`.
    async fn features(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let detail = |text: &str| format!("{{\"detail\":\"{text}\"}}");
        if *request.method() != Method::POST {
            return response(StatusCode::METHOD_NOT_ALLOWED, JSON, detail("Method Not Allowed"));
        }
        let Some(serving) = &self.serving else {
            let advice = "no features are served here: process 0 serves them unless [http] serve_features is false";
            return response(StatusCode::NOT_FOUND, JSON, detail(advice));
        };
        let body = Limited::new(request.into_body(), MOST_BYTES).collect();
        let Ok(body) = tokio::time::timeout(PATIENCE, body).await else {
            return response(StatusCode::REQUEST_TIMEOUT, JSON, detail("the request did not end"));
        };
        let body = match body {
            Ok(body) => body.to_bytes(),
            Err(e) if e.is::<LengthLimitError>() => {
                let advice = format!("more than {MOST_BYTES} bytes: ask in parts");
                return response(StatusCode::PAYLOAD_TOO_LARGE, JSON, detail(&advice));
            }
            Err(_) => return response(StatusCode::BAD_REQUEST, JSON, detail("the request broke off")),
        };
        let began = Instant::now();
        let Answer { code, body, watermark, statuses } = feast::answer(serving, &body);
        let numbers = &self.metrics.serving;
        numbers.requests[usize::from(code != 200)].fetch_add(1, Relaxed);
        for (sum, n) in numbers.values.iter().zip(statuses) {
            sum.fetch_add(n, Relaxed);
        }
        numbers.duration.observe(began.elapsed().as_secs_f64());
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
        if let Some(stamp) = watermark.and_then(|watermark| HeaderValue::from_str(&feast::stamp(watermark)).ok()) {
            response.headers_mut().insert(WATERMARK, stamp);
        }
        response
    }
}

fn probe(verdict: Verdict, verbose: bool) -> Response<Full<Bytes>> {
    let code = if verdict.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if verbose {
        return response(code, JSON, format!("{}\n", serde_json::json!(verdict)));
    }
    let failing: String = verdict.checks.iter().filter(|c| !c.ok).map(|c| format!("{}: {}\n", c.name, c.detail)).collect();
    response(code, PLAIN, if verdict.ok { "ok\n".into() } else { failing })
}

fn response(code: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
