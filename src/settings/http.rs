//! The section `[http]`: where health and metrics are served, and what is still well.

use super::Error;
use super::layer::Effective;
use super::raw::Http as Raw;
use crate::metrics::checks::Limits;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where a live run listens unless told otherwise.
pub const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// At [`USUAL`] while live inputs are read, when that is free; otherwise nowhere.
    Auto,
    /// Nowhere.
    Off,
    /// Here, whatever is read.
    At(SocketAddr),
}

/// `[http]`, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where to listen.
    pub listen: Listen,
    /// What is still well.
    pub limits: Limits,
}

impl Http {
    /// Where process `process` of a run listens, if it does: each one port further than the one before.
    pub fn address(&self, live: bool, process: usize) -> Option<SocketAddr> {
        let first = match self.listen {
            Listen::Off => return None,
            Listen::Auto if !live => return None,
            Listen::Auto => USUAL,
            Listen::At(address) => address,
        };
        // Port 0 takes a free one, for each process.
        let port = if first.port() == 0 { Some(0) } else { first.port().checked_add(u16::try_from(process).ok()?) };
        Some(SocketAddr::new(first.ip(), port?))
    }
}

fn listen(text: &str) -> Option<Listen> {
    match text.trim() {
        "auto" => Some(Listen::Auto),
        "off" => Some(Listen::Off),
        text => {
            let numbers = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
            numbers.as_deref().unwrap_or(text).parse().ok().map(Listen::At)
        }
    }
}

pub(super) fn resolve(raw: &Raw, effective: &Effective) -> Result<Http, Error> {
    let Some(listen) = listen(&raw.listen) else {
        let message = format!("{:?} is no address; write one such as \"127.0.0.1:9464\", \"auto\" or \"off\"", raw.listen);
        return Err(effective.problem("http.listen", message));
    };
    Ok(Http { listen, limits: Limits { stall: raw.live_stall.0, lag: raw.ready_lag.0 } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_listens_on_loopback_and_others_when_told() {
        let limits = Limits { stall: 1, lag: 1 };
        let at = |text: &str, live, process| {
            Http { listen: listen(text).unwrap(), limits }.address(live, process).map(|a| a.to_string())
        };
        assert_eq!(at("auto", true, 0).as_deref(), Some("127.0.0.1:9464"));
        assert_eq!(at("auto", true, 2).as_deref(), Some("127.0.0.1:9466"));
        assert_eq!((at("auto", false, 0), at("off", true, 0)), (None, None));
        assert_eq!(at("0.0.0.0:80", false, 0).as_deref(), Some("0.0.0.0:80"));
        assert_eq!(at("localhost:80", false, 1).as_deref(), Some("127.0.0.1:81"));
        assert_eq!(at("[::1]:0", true, 3).as_deref(), Some("[::1]:0"));
        assert_eq!(at("127.0.0.1:65535", true, 1), None);
        assert_eq!([listen("here"), listen("9464"), listen("")], [None; 3]);
    }
}
