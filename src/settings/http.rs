//! The section `[http]`: where health, metrics and features are served, what is still well, and what is served of the features.

use super::Error;
use super::layer::Effective;
use super::raw::Http as Raw;
use super::value;
use crate::metrics::checks::Limits;
use crate::serving::{Offer, TABLES};
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where to listen.
    pub listen: Listen,
    /// What is still well.
    pub limits: Limits,
    /// Whether features are served.
    pub serve_features: bool,
    /// What is served of them.
    pub features: Offer,
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
    let mut offer = Offer { grace: raw.forget_after.0, ..Offer::default() };
    for text in &raw.feature_services.0 {
        let bad = |problem: &str| effective.problem("http.feature_services", format!("{text:?}: {problem}"));
        let (name, features) = service(text).map_err(|problem| bad(&problem))?;
        if offer.services.insert(name, features).is_some() {
            return Err(bad("the name is there already"));
        }
    }
    offer.max_age = match raw.max_age.trim() {
        "off" => None,
        age => match value::span(age) {
            Ok(age) => Some(age),
            Err(e) => return Err(effective.problem("http.max_age", format!("{e}, or \"off\""))),
        },
    };
    let limits = Limits { stall: raw.live_stall.0, lag: raw.ready_lag.0 };
    Ok(Http { listen, limits, serve_features: raw.serve_features, features: offer })
}

/// `NAME = TABLE:FEATURE TABLE:FEATURE ...`
fn service(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, features) = text.split_once('=').ok_or("write \"NAME = TABLE:FEATURE TABLE:FEATURE ...\"")?;
    let features: Vec<String> = features.split_whitespace().map(String::from).collect();
    let table = |feature: &str| feature.split_once(':').map(|(table, _)| table.to_owned());
    let served = |table: &str| TABLES.iter().any(|(served, _)| served.name() == table);
    match features.iter().find(|feature| !table(feature).is_some_and(|table| served(&table))) {
        Some(feature) => {
            let tables = TABLES.map(|(table, _)| table.name()).join(", ");
            Err(format!("{feature} is no TABLE:FEATURE of {tables}"))
        }
        None if name.trim().is_empty() || features.is_empty() => Err("it has no name, or no features".into()),
        None => Ok((name.trim().to_owned(), features)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_listens_on_loopback_and_others_when_told() {
        let limits = Limits { stall: 1, lag: 1 };
        let at = |text: &str, live, process| {
            let (serve_features, features) = (false, Offer::default());
            let http = Http { listen: listen(text).unwrap(), limits, serve_features, features };
            http.address(live, process).map(|a| a.to_string())
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

    #[test]
    fn a_list_of_features_has_a_name_and_tables_that_are_served() {
        let features = vec!["seller_features:n".to_owned(), "category_features:n_support".to_owned()];
        assert_eq!(service("fraud-v1 = seller_features:n  category_features:n_support"), Ok(("fraud-v1".into(), features)));
        for bad in ["", "x", "x =", "= seller_features:n", "x = windows:total_sales", "x = n"] {
            assert!(service(bad).is_err(), "{bad}");
        }
    }
}
