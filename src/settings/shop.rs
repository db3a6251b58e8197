//! The section `[generate]`: the shop of `generate`, and the one of `demo`.

use super::Error;
use super::layer::{Effective, Origin};
use super::raw;
use super::value::Count;
use crate::generate::{Incidents, Kind, Settings, Shape, Tails};

/// The shops of `generate` and of `demo`.
pub(super) fn resolve(raw: &raw::Generate, effective: &Effective) -> Result<(Settings, Settings), Error> {
    let shop = shop(raw, effective)?;
    let lively = Settings::demo();
    let given = |key: &str| effective.origin(&format!("generate.{key}")) != Origin::Default;
    let demo = Settings {
        sales: lively.sales,
        rate: if given("rate") { shop.rate } else { lively.rate },
        late: if given("late") { shop.late } else { lively.late },
        cancels: if given("cancels") { shop.cancels } else { lively.cancels },
        cancel_within: if given("cancel_within") { shop.cancel_within } else { lively.cancel_within },
        return_mean: if given("return_mean") { shop.return_mean } else { lively.return_mean },
        incidents: if given("incidents") { shop.incidents.clone() } else { lively.incidents },
        ..shop.clone()
    };
    Ok((shop, demo))
}

/// One of `all` by its name.
fn named<T: Copy>(effective: &Effective, key: &str, given: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, Error> {
    all.iter().copied().find(|one| name(*one) == given.trim()).ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        effective.problem(&format!("generate.{key}"), format!("{given:?} is none of {}", known.join(", ")))
    })
}

/// The scenario whose values hold where nothing is set.
fn scenario(raw: &raw::Generate, effective: &Effective) -> Result<Option<Settings>, Error> {
    const WARM_UP: i64 = 14 * 86_400_000;
    let after = match effective.origin("generate.incidents_after") {
        Origin::Default => WARM_UP,
        _ => raw.incidents_after.0,
    };
    let name = |scenario| match scenario {
        0 => "shop",
        1 => "protocol",
        _ => "stress",
    };
    Ok(match named(effective, "scenario", &raw.scenario, &[0, 1, 2], name)? {
        0 => None,
        1 => Some(Settings::protocol(raw.seed.0 as u64, after)),
        _ => Some(Settings::stress(raw.seed.0 as u64, after)),
    })
}

/// The settings as written, where they are, and otherwise those of the scenario.
fn over(scenario: Settings, shop: Settings, given: impl Fn(&str) -> bool) -> Settings {
    let incidents = match (shop.incidents.clone(), scenario.incidents.clone()) {
        (_, of) if !given("incidents_per_day") && !given("incidents_gap") && !given("incidents") => of,
        (Incidents::Scattered { per_day, gap, .. }, Incidents::Scattered { per_day: usual, after, gap: least }) => {
            let per_day = if given("incidents_per_day") { per_day } else { usual };
            Incidents::Scattered { per_day, after, gap: if given("incidents_gap") { gap } else { least } }
        }
        (of, _) => of,
    };
    Settings {
        sellers: if given("sellers") { shop.sellers } else { scenario.sellers },
        categories: if given("categories") { shop.categories } else { scenario.categories },
        start: if given("start") { shop.start } else { scenario.start },
        broken: if given("broken") { shop.broken } else { scenario.broken },
        pareto: if given("pareto") { shop.pareto } else { scenario.pareto },
        tails: if given("tails") { shop.tails } else { scenario.tails },
        excitement: if given("excitement") { shop.excitement } else { scenario.excitement },
        season_drift: if given("season_drift") { shop.season_drift } else { scenario.season_drift },
        dst_after: if given("dst_after") { shop.dst_after } else { scenario.dst_after },
        disorder: if given("disorder") { shop.disorder } else { scenario.disorder },
        incidents,
        kinds: if given("incident_kinds") { shop.kinds } else { scenario.kinds },
        shapes: if given("incident_shapes") { shop.shapes } else { scenario.shapes },
        burst_customers: if given("burst_customers") { shop.burst_customers } else { scenario.burst_customers },
        ..shop
    }
}

fn shop(raw: &raw::Generate, effective: &Effective) -> Result<Settings, Error> {
    let whole = |key: &str, Count(n): Count| {
        u32::try_from(n).map_err(|_| effective.problem(&format!("generate.{key}"), format!("{n} is out of range")))
    };
    let incidents = match raw.incidents.trim() {
        "off" => Incidents::Off,
        "demo" => Incidents::Demo,
        "scattered" => Incidents::Scattered {
            per_day: whole("incidents_per_day", raw.incidents_per_day)?,
            after: raw.incidents_after.0,
            gap: raw.incidents_gap.0,
        },
        other => {
            let message = format!("{other:?} is none of \"off\", \"scattered\" and \"demo\"");
            return Err(effective.problem("generate.incidents", message));
        }
    };
    let kinds = raw.incident_kinds.0.iter().map(|kind| named(effective, "incident_kinds", kind, &Kind::ALL, Kind::name));
    let shapes = raw.incident_shapes.0.iter().map(|shape| named(effective, "incident_shapes", shape, &Shape::ALL, Shape::name));
    let customers = raw.burst_customers.iter().map(|n| whole("burst_customers", *n));
    let settings = Settings {
        seed: raw.seed.0 as u64,
        sales: Settings::default().sales,
        span: None,
        sellers: whole("sellers", raw.sellers)? as usize,
        categories: whole("categories", raw.categories)? as usize,
        customers: whole("customers", raw.customers)?,
        rate: raw.rate.0,
        start: raw.start.0,
        utc_offset: raw.utc_offset_minutes.0,
        season: raw.season.0,
        noise: raw.noise.0,
        clumping: raw.clumping.0,
        tails: named(effective, "tails", &raw.tails, &[Tails::Normal, Tails::Student], Tails::name)?,
        excitement: raw.excitement.0,
        season_drift: raw.season_drift.0,
        dst_after: raw.dst_after.0,
        pareto: raw.pareto.0,
        pareto_alpha: raw.pareto_alpha.0,
        disorder: raw.disorder.0,
        seller_zipf: raw.seller_zipf.0,
        jitter: raw.jitter.0,
        late: raw.late.0,
        late_mean: raw.late_mean.0,
        cancels: raw.cancels.0,
        cancel_within: raw.cancel_within.0,
        returns: raw.returns.0,
        return_mean: raw.return_mean.0,
        duplicates: raw.duplicates.0,
        broken: raw.broken.0,
        guests: raw.guests.0,
        incidents,
        kinds: kinds.collect::<Result<_, _>>()?,
        shapes: shapes.collect::<Result<_, _>>()?,
        burst_customers: customers.collect::<Result<_, _>>()?,
    };
    let given = |key: &str| effective.origin(&format!("generate.{key}")) != Origin::Default;
    let settings = match scenario(raw, effective)? {
        Some(scenario) => over(scenario, settings, given),
        None => settings,
    };
    settings.check().map_err(|bad| effective.problem(&format!("generate.{}", bad.setting), &bad))?;
    Ok(settings)
}
