//! The section `[generate]`: the shop of `generate`, and the one of `demo`.

use super::Error;
use super::layer::{Effective, Origin};
use super::raw;
use super::value::Count;
use crate::generate::{Incidents, Settings};

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
    let settings = Settings {
        seed: raw.seed.0 as u64,
        sales: Settings::default().sales,
        sellers: whole("sellers", raw.sellers)? as usize,
        categories: whole("categories", raw.categories)? as usize,
        customers: whole("customers", raw.customers)?,
        rate: raw.rate.0,
        start: raw.start.0,
        utc_offset: raw.utc_offset_minutes.0,
        season: raw.season.0,
        noise: raw.noise.0,
        clumping: raw.clumping.0,
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
    };
    settings.check().map_err(|bad| {
        let path = format!("generate.{}", bad.setting);
        let known = effective.leaves().iter().any(|leaf| leaf.path == path);
        effective.problem(if known { &path } else { "generate.rate" }, &bad)
    })?;
    Ok(settings)
}
