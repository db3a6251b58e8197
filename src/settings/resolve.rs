//! From what was written to what cannot be invalid: runs once, at the start.

use super::layer::Effective;
use super::raw::{self, Raw};
use super::value::{self, WindowEntry};
use super::{Clock, Error, Settings};
use chrono_tz::Tz;
use dataflows::plan::{
    CooldownSpec, EventSpec, FeatureSpec, Gates, Plan, PlanError, ProfileSpec, Reference, SignalSpec, Spec, WindowSpec,
};
use dataflows::schema::{FIELDS, Limits, Schema};

/// A window that says nothing itself takes at most so many slides of lateness: each costs a correction of its own.
const LATE_SLIDES: i64 = 5;

/// The greatest amount of one sale: amounts are kept in 4 bytes.
const MOST_CENTS: i64 = u32::MAX as i64;

/// Greatest block of a file: positions inside it are kept in 4 bytes.
const MOST_EPOCH_BYTES: u64 = 1 << 30;

impl Settings {
    pub(super) fn resolve(effective: Effective) -> Result<Settings, Error> {
        let raw: Raw = effective.parse()?;
        let (spec, plan) = plan(&raw, &effective)?;
        let schema = schema(&raw, &plan, &effective)?;
        let epoch_bytes = raw.replay.epoch_bytes.0;
        if !(1..=MOST_EPOCH_BYTES).contains(&epoch_bytes) {
            return Err(effective.problem("replay.epoch_bytes", "must be between 1 byte and 1GiB"));
        }
        let (generate, demo) = super::shop::resolve(&raw.generate, &effective)?;
        let clock = Clock {
            max_future: raw.time.max_future.0,
            max_jump: raw.time.max_jump.0,
            max_drift: raw.time.max_drift.0,
            idle_timeout: raw.time.idle_timeout.0,
            advance_when_idle: raw.time.advance_when_idle,
        };
        let kafka = super::kafka::resolve(&raw.kafka, &raw.stock, &effective)?;
        let http = super::http::resolve(&raw.http, &effective)?;
        let checkpoint_every = raw.checkpoint.every.0;
        if checkpoint_every <= 0 {
            return Err(effective.problem("checkpoint.every", "must be positive"));
        }
        let sinks = super::sinks::resolve(&raw.sinks, &effective)?;
        let stock = raw.stock.file.trim().to_string();
        Ok(Settings {
            spec,
            plan,
            schema,
            clock,
            stock,
            epoch_bytes,
            kafka,
            http,
            checkpoint_every,
            sinks,
            generate,
            demo,
            effective,
        })
    }
}

fn window(entry: &WindowEntry, cap: i64) -> WindowSpec {
    WindowSpec {
        name: entry.name.clone(),
        size: entry.size,
        slide: entry.slide,
        lateness: entry.lateness.unwrap_or_else(|| cap.min(entry.slide.saturating_mul(LATE_SLIDES))),
        biggest: entry.biggest,
    }
}

fn plan(raw: &Raw, effective: &Effective) -> Result<(Spec, Plan), Error> {
    let windows = &raw.windows.0;
    for (i, w) in windows.iter().enumerate() {
        if let Some(twin) = windows[..i].iter().find(|o| (o.size, o.slide) == (w.size, w.slide)) {
            return Err(effective.problem("windows", format!("{} and {} are the same window", twin.name, w.name)));
        }
    }
    if windows.len() > usize::from(u8::MAX) {
        return Err(effective.problem("windows", "at most 255 windows"));
    }
    let deduplicate = match raw.ingest.deduplicate.trim() {
        "off" => 0,
        text => match value::span(text) {
            Ok(span) if span > 0 => span,
            Ok(_) => return Err(effective.problem("ingest.deduplicate", "must be positive, or \"off\"")),
            Err(e) => return Err(effective.problem("ingest.deduplicate", format!("{e}, or \"off\""))),
        },
    };
    let spec = Spec {
        windows: windows.iter().map(|w| window(w, raw.time.allowed_lateness.0)).collect(),
        features: FeatureSpec {
            enabled: raw.features.enabled,
            slide: raw.features.slide.0,
            lateness: raw.features.allowed_lateness.0,
            orders: raw.features.seller_orders,
        },
        profiles: ProfileSpec {
            sellers: raw.features.all,
            categories: raw.features.all,
            products: raw.features.all || raw.features.products,
            customers: raw.features.all || raw.features.customers,
            scores: raw.scores.enabled,
        },
        max_out_of_orderness: raw.time.max_out_of_orderness.0,
        origin: raw.time.origin.0,
        deduplicate,
        gates: gates(&raw.gates),
        events: events(raw, effective)?,
        cooldown: cooldown(&raw.cooldown, effective)?,
        signals: signals(raw, effective)?,
        detect: super::detect::resolve(&raw.detect, zone(raw, effective)?, effective)?,
    };
    let plan = Plan::new(&spec).map_err(|e| match e {
        PlanError::Features(problem) => effective.problem("features.slide", problem),
        PlanError::Empty => effective.problem("windows", e),
        PlanError::Window { name, problem } => effective.problem("windows", format!("{name}: {problem}")),
        PlanError::Other(problem) => effective.problem("windows", problem),
    })?;
    Ok((spec, plan))
}

fn signals(raw: &Raw, effective: &Effective) -> Result<SignalSpec, Error> {
    let s = &raw.signals;
    let positive = [
        ("price_warn", s.price_warn.0),
        ("price_alert", s.price_alert.0),
        ("ticket_z", s.ticket_z.0),
        ("large_order_z", s.large_order_z.0),
        ("trend_decades", s.trend_decades.0),
        ("stockout_probability", s.stockout_probability.0),
    ];
    if let Some((key, _)) = positive.iter().find(|x| x.1 <= 0.0) {
        return Err(effective.problem(&format!("signals.{key}"), "must be positive"));
    }
    if s.price_alert.0 < s.price_warn.0 {
        return Err(effective.problem("signals.price_alert", "must not be below price_warn"));
    }
    if s.stockout_probability.0 >= 1.0 {
        return Err(effective.problem("signals.stockout_probability", "must be below 1"));
    }
    if s.lead_time.0 <= 0 {
        return Err(effective.problem("signals.lead_time", "must be positive"));
    }
    Ok(SignalSpec {
        enabled: s.enabled,
        price_warn: s.price_warn.0,
        price_alert: s.price_alert.0,
        ticket_z: s.ticket_z.0,
        large_order_z: s.large_order_z.0,
        trend_decades: s.trend_decades.0,
        trend_change: s.trend_pct.0 / 100.0,
        stock: [&raw.stock.file, &raw.stock.topic].iter().any(|feed| !feed.trim().is_empty()),
        lead_time: s.lead_time.0,
        stockout_probability: s.stockout_probability.0,
    })
}

fn gates(raw: &raw::Gates) -> Gates {
    let permille = |percent: f64| (percent * 10.0).round() as i64;
    Gates {
        min_sales: raw.total_sales.0,
        min_revenue: raw.total_revenue.0,
        min_sellers: raw.active_sellers.0,
        max_rejected_permille: permille(raw.max_rejected_pct.0),
        max_bad_time_permille: permille(raw.max_bad_timestamp_pct.0),
    }
}

fn events(raw: &Raw, effective: &Effective) -> Result<EventSpec, Error> {
    let e = &raw.events;
    let names: Vec<&str> = raw.windows.0.iter().map(|w| w.name.as_str()).collect();
    if let Some(unknown) = e.windows.0.iter().find(|name| !names.contains(&name.as_str())) {
        let message = format!("{unknown} is none of the windows ({})", names.join(", "));
        return Err(effective.problem("events.windows", message));
    }
    let reference = match e.reference.trim() {
        "auto" => Reference::Auto,
        "slide" => Reference::Slide,
        "size" => Reference::Size,
        other => match other.strip_prefix("mean:").and_then(|n| n.trim().parse().ok()) {
            Some(n @ 1..=1_000) => Reference::Mean(n),
            _ => {
                let message =
                    format!("{other:?} is no reference; write \"auto\", \"slide\", \"size\" or \"mean:N\" (N up to 1000)");
                return Err(effective.problem("events.reference", message));
            }
        },
    };
    Ok(EventSpec {
        enabled: e.enabled,
        windows: e.windows.0.clone(),
        reference,
        spike_pct: e.activity_spike_pct.0,
        drop_pct: e.activity_drop_pct.0,
        revenue_pct: e.revenue_surge_pct.0,
        write_suppressed: e.write_suppressed,
    })
}

fn cooldown(raw: &raw::Cooldown, effective: &Effective) -> Result<CooldownSpec, Error> {
    if raw.max_quiet.0 < raw.quiet.0 {
        return Err(effective.problem("cooldown.max_quiet", "must not be shorter than [cooldown] quiet"));
    }
    Ok(CooldownSpec { quiet: raw.quiet.0, max_quiet: raw.max_quiet.0, reset: raw.reset.0 })
}

fn zone(raw: &Raw, effective: &Effective) -> Result<Tz, Error> {
    raw.time.zone.trim().parse().map_err(|_| {
        let near = super::layer::nearest(&raw.time.zone, chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()));
        effective.problem("time.zone", format!("{:?} is no time zone; did you mean {near:?}?", raw.time.zone))
    })
}

fn schema(raw: &Raw, plan: &Plan, effective: &Effective) -> Result<Schema, Error> {
    let s = &raw.schema;
    let zone = zone(raw, effective)?;
    if let Some(bad) = s.date_formats.0.iter().find(|f| !is_date_format(f)) {
        let message = format!("{bad:?} is no chrono format; write for example \"%d/%m/%Y %H:%M\"");
        return Err(effective.problem("schema.date_formats", message));
    }
    let delimiter = match s.delimiter.as_str() {
        "tab" => b'\t',
        one if one.len() == 1 && !"\"\r\n".contains(one) => one.as_bytes()[0],
        other => {
            let message = format!("{other:?} is no delimiter; write one ASCII character such as \";\", or \"tab\"");
            return Err(effective.problem("schema.delimiter", message));
        }
    };
    let mut schema = Schema { zone, delimiter, ..Schema::default() };
    for payment in &s.payments.0 {
        if !schema.payments.contains(payment) {
            schema.payments.push(payment.clone());
        }
    }
    for (name, mapping) in &s.fields {
        let field = FIELDS.iter().find(|f| *f == name).expect("layer admits the contract's fields only");
        schema.fields.insert(field, mapping.0.clone());
    }
    schema.negative_quantity_is_return = s.negative_quantity_is_return;
    schema.date_formats.clone_from(&s.date_formats.0);
    schema.limits = limits(&s.limits, plan, effective)?;
    schema.keep_ids = plan.deduplicate > 0;
    schema.keep_customers = plan.profiles.any();
    schema.keep_carried = plan.profiles.scores;
    Ok(schema)
}

fn limits(raw: &raw::Limits, plan: &Plan, effective: &Effective) -> Result<Limits, Error> {
    let check = |key: &str, (least, greatest): (i64, i64), most: i64, unit: &str| {
        if least < 1 || greatest < least || greatest > most {
            let message =
                format!("must be a least value of at least {unit}, then a greatest one, both within the engine's reach");
            return Err(effective.problem(&format!("schema.limits.{key}"), message));
        }
        Ok((least, greatest))
    };
    let id_bytes = check("id_bytes", (raw.id_bytes.least.0, raw.id_bytes.greatest.0), 1 << 16, "1")?;
    Ok(Limits {
        price: check("price", (raw.price.least.0, raw.price.greatest.0), MOST_CENTS, "0.01")?,
        quantity: check("quantity", (raw.quantity.least.0, raw.quantity.greatest.0), 1_000_000_000, "1")?,
        total: check("total", (raw.total.least.0, raw.total.greatest.0), MOST_CENTS, "0.01")?,
        id_bytes: (id_bytes.0 as usize, id_bytes.1 as usize),
        time: plan.reach(),
    })
}

fn is_date_format(format: &str) -> bool {
    use chrono::format::{Item, StrftimeItems};
    let mut items = StrftimeItems::new(format).peekable();
    items.peek().is_some() && items.all(|item| item != Item::Error)
}
