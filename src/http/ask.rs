//! Asking a running engine: one GET over plain HTTP.

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::HOST;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// The longest answer that is read.
const LONGEST: usize = 16 << 20;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub code: u16,
    /// The body.
    pub text: String,
}

/// Asks for `path` at `address`, `HOST:PORT`.
///
/// # Errors
/// In words, when nobody answers within `patience`, or not in HTTP.
pub fn get(address: &str, path: &str, patience: Duration) -> Result<Answer, String> {
    let cannot = |e: &dyn std::fmt::Display| e.to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
    let asking = async {
        let stream = TcpStream::connect(address).await.map_err(|e| cannot(&e))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| cannot(&e))?;
        let connection = tokio::spawn(connection);
        let uri: Uri = path.parse().map_err(|e| cannot(&e))?;
        let request = Request::get(uri).header(HOST, address).body(Empty::<Bytes>::new()).map_err(|e| cannot(&e))?;
        let response = sender.send_request(request).await.map_err(|e| cannot(&e))?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), LONGEST).collect().await.map_err(|e| e.to_string())?;
        drop(sender);
        connection.abort();
        Ok(Answer { code, text: String::from_utf8_lossy(&body.to_bytes()).into() })
    };
    runtime.map_err(|e| cannot(&e))?.block_on(async {
        tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| Err(format!("no answer within {} s", patience.as_secs())))
    })
}
