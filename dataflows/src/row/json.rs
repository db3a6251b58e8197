//! Rows as lines of JSON: the contract's columns in the contract's order, one object a line.
//!
//! Same rows, same bytes: there is one way to write each value and no map whose order could differ. Names of columns are
//! fixed text between values ([`text`](super::text)); a line is appended to a buffer that the caller keeps, so that writing
//! a feature row allocates nothing. The certificate hashes these lines; where a column names the engine or the source, the
//! writer says which part of the line that is ([`Cut`]).

use super::event::{Episode, Event, Figure, Origin, window_name};
use super::text::{hex, integer, millionths, money, optional, quoted_time, string, time};
use super::{CategoryRow, DeadLetter, SellerRow, WindowRow, round};
use crate::plan::Plan;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A part of a line that the certificate leaves out, as places in the buffer.
pub type Cut = (usize, usize);

/// Fixed text: a column's name with what surrounds it.
#[inline]
fn raw(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

/// What is written is left out of the certificate.
fn cut(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Cut {
    let from = out.len();
    write(out);
    (from, out.len())
}

fn list<T>(items: &[T], out: &mut Vec<u8>, mut write: impl FnMut(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

/// A line of `windows`.
pub fn window(plan: &Plan, row: &WindowRow, out: &mut Vec<u8>) {
    raw("{\"window\":", out);
    string(&plan.windows[usize::from(row.window)].name, out);
    raw(",\"window_start\":\"", out);
    time(row.start, out);
    raw("\",\"window_end\":\"", out);
    time(row.end, out);
    raw("\",\"revision\":", out);
    integer(row.revision, out);
    if row.deleted {
        return raw(",\"deleted\":true}\n", out);
    }
    let c = &row.columns;
    raw(if c.partial { ",\"partial\":true" } else { ",\"partial\":false" }, out);
    raw(",\"empty_before\":", out);
    integer(c.empty_before, out);
    raw(",\"total_sales\":", out);
    integer(c.total_sales, out);
    raw(",\"total_units\":", out);
    integer(c.total_units, out);
    raw(",\"total_revenue\":", out);
    money(c.total_revenue, out);
    raw(",\"returned_units\":", out);
    integer(c.returned_units, out);
    raw(",\"returned_revenue\":", out);
    money(c.returned_revenue, out);
    raw(",\"avg_ticket\":", out);
    optional(round::average(c.total_revenue, c.total_sales), out, money);
    raw(",\"biggest_sale\":", out);
    optional(c.biggest_sale, out, money);
    raw(",\"active_sellers\":", out);
    integer(c.active_sellers, out);
    raw(",\"active_categories\":", out);
    integer(c.active_categories, out);
    raw(",\"active_products\":", out);
    integer(c.active_products, out);
    raw(",\"top_category\":", out);
    best(c.top_category.as_ref(), ",\"top_category_sales\":", out);
    raw(",\"top_seller\":", out);
    best(c.top_seller.as_ref(), ",\"top_seller_sales\":", out);
    raw(",\"growth_pct\":", out);
    optional(c.growth_pct, out, millionths);
    raw(",\"gates_failed\":", out);
    list(&c.gates_failed, out, |gate, out| string(gate.name(), out));
    raw("}\n", out);
}

/// A name and its sales; `null` and 0 when there is none.
fn best(top: Option<&(String, i64)>, sales: &str, out: &mut Vec<u8>) {
    optional(top, out, |(name, _), out| string(name, out));
    raw(sales, out);
    integer(top.map_or(0, |top| top.1), out);
}

/// The columns with which every feature row begins.
#[inline]
fn feature_key(key: &str, as_of: i64, revision: u32, out: &mut Vec<u8>) {
    raw("{\"key\":", out);
    string(key, out);
    raw(",\"as_of\":\"", out);
    time(as_of, out);
    raw("\",\"revision\":", out);
    integer(revision, out);
}

/// A line of `seller_features`.
pub fn seller(key: &str, row: &SellerRow, out: &mut Vec<u8>) {
    feature_key(key, row.as_of, row.revision, out);
    if row.deleted {
        return raw(",\"deleted\":true}\n", out);
    }
    let c = &row.columns;
    raw(",\"seller_volume_last_1h\":", out);
    integer(c.volume, out);
    raw(",\"seller_revenue_last_1h\":", out);
    money(c.revenue, out);
    raw(",\"seller_orders_last_1h\":", out);
    optional(c.orders, out, integer);
    raw(",\"n_support\":", out);
    integer(c.n_support, out);
    raw("}\n", out);
}

/// A line of `category_features`.
pub fn category(key: &str, row: &CategoryRow, out: &mut Vec<u8>) {
    feature_key(key, row.as_of, row.revision, out);
    if row.deleted {
        return raw(",\"deleted\":true}\n", out);
    }
    let c = &row.columns;
    raw(",\"category_trend_30min\":", out);
    millionths(c.trend, out);
    raw(",\"category_trend_30min_se\":", out);
    millionths(c.trend_se, out);
    raw(",\"category_revenue_30min\":", out);
    money(c.revenue, out);
    raw(",\"category_volume_30min\":", out);
    integer(c.volume, out);
    raw(",\"price_mean_ln\":", out);
    optional(c.price_mean_ln, out, millionths);
    raw(",\"price_sd_ln\":", out);
    optional(c.price_sd_ln, out, millionths);
    raw(",\"n\":", out);
    integer(c.n, out);
    raw(",\"n_support\":", out);
    integer(c.n, out);
    raw("}\n", out);
}

fn figure(figure: Figure, out: &mut Vec<u8>) {
    match figure {
        Figure::Count(n) => integer(n, out),
        Figure::Cents(n) => money(n, out),
        Figure::Millionths(n) => millionths(n, out),
    }
}

fn quoted_id(id: [u8; 16], out: &mut Vec<u8>) {
    out.push(b'"');
    hex(&id, out);
    out.push(b'"');
}

/// Milliseconds as seconds: an integer, or three decimals when they are not whole.
fn seconds(ms: i64, out: &mut Vec<u8>) {
    integer(ms.div_euclid(1_000), out);
    let rest = ms.rem_euclid(1_000);
    if rest != 0 {
        let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8);
        out.push(b'.');
        out.extend_from_slice(&digits);
    }
}

/// A line of `events` or `suppressed`. For the certificate `lineage` has no `source` and no `engine`.
pub fn event(plan: &Plan, origin: &Origin, event: &Event, out: &mut Vec<u8>) -> [Cut; 2] {
    raw("{\"event_id\":", out);
    quoted_id(event.id, out);
    subject(event, out);
    raw(",\"severity\":", out);
    string(event.severity.name(), out);
    window_columns(plan, event, out);
    raw(",\"revision\":", out);
    integer(event.revision, out);
    findings(event, out);
    raw(",\"suppressed_since_last\":", out);
    integer(event.suppressed_since_last, out);
    raw(",\"cooldown_s\":", out);
    optional(event.cooldown, out, seconds);
    raw(",\"retracts\":", out);
    optional(event.retracts, out, quoted_id);
    lineage(origin, event, out)
}

/// A line of `episodes`, before the cooldown. For the certificate `lineage` has no `source` and no `engine`.
pub fn episode(plan: &Plan, origin: &Origin, episode: &Episode, out: &mut Vec<u8>) -> [Cut; 2] {
    let event = &episode.event;
    raw("{\"episode_id\":", out);
    quoted_id(event.id, out);
    raw(",\"revision\":", out);
    integer(event.revision, out);
    let Some(state) = episode.state else {
        raw(",\"deleted\":true}\n", out);
        return [(out.len(), out.len()); 2];
    };
    raw(",\"state\":", out);
    string(state.name(), out);
    subject(event, out);
    raw(",\"direction\":", out);
    string(episode.direction.name(), out);
    raw(",\"severity\":", out);
    string(event.severity.name(), out);
    raw(",\"opened\":", out);
    quoted_time(episode.opened, out);
    raw(",\"ended\":", out);
    optional(episode.ended, out, quoted_time);
    window_columns(plan, event, out);
    findings(event, out);
    lineage(origin, event, out)
}

fn subject(event: &Event, out: &mut Vec<u8>) {
    raw(",\"type\":", out);
    string(event.subject.kind.name(), out);
    raw(",\"level\":", out);
    string(event.subject.level.name(), out);
    raw(",\"key\":", out);
    string(&event.subject.key, out);
}

fn window_columns(plan: &Plan, event: &Event, out: &mut Vec<u8>) {
    raw(",\"window\":", out);
    string(window_name(plan, event.window), out);
    raw(",\"window_start\":", out);
    quoted_time(event.start, out);
    raw(",\"window_end\":", out);
    quoted_time(event.end, out);
}

fn findings(event: &Event, out: &mut Vec<u8>) {
    raw(",\"value\":", out);
    figure(event.value, out);
    raw(",\"expected\":", out);
    optional(event.expected, out, figure);
    raw(",\"score\":", out);
    millionths(event.score, out);
    raw(",\"growth_pct\":", out);
    optional(event.growth_pct, out, millionths);
    raw(",\"message\":", out);
    string(&event.message, out);
    raw(",\"insights\":", out);
    list(&event.insights, out, |insight, out| string(insight, out));
}

fn lineage(origin: &Origin, event: &Event, out: &mut Vec<u8>) -> [Cut; 2] {
    raw(",\"lineage\":{", out);
    let source = cut(out, |out| {
        raw("\"source\":", out);
        string(&origin.source, out);
        out.push(b',');
    });
    raw("\"bindings\":", out);
    list(&[event.bindings.0, event.bindings.1], out, |&epoch, out| integer(epoch, out));
    raw(",\"watermark\":", out);
    quoted_time(event.learned, out);
    raw(",\"rule\":", out);
    string(&event.rule, out);
    raw(",\"config\":", out);
    string(&origin.config, out);
    let engine = cut(out, |out| {
        raw(",\"engine\":", out);
        string(&origin.engine, out);
    });
    raw("}}\n", out);
    [source, engine]
}

/// A line of `dead_letters`. For the certificate it has no `source`.
pub fn dead_letter(letter: &DeadLetter, out: &mut Vec<u8>) -> [Cut; 1] {
    out.push(b'{');
    let source = cut(out, |out| {
        raw("\"source\":", out);
        string(letter.source, out);
        out.push(b',');
    });
    raw("\"partition\":", out);
    integer(letter.partition, out);
    raw(",\"offset\":", out);
    integer(letter.offset, out);
    raw(",\"timestamp\":", out);
    optional(letter.timestamp, out, quoted_time);
    raw(",\"disposition\":", out);
    string(letter.disposition.name(), out);
    raw(",\"errors\":", out);
    list(letter.errors, out, |fault, out| {
        raw("{\"code\":", out);
        string(fault.code, out);
        raw(",\"field\":", out);
        optional(fault.field, out, string);
        raw(",\"message\":", out);
        string(&fault.message, out);
        out.push(b'}');
    });
    match std::str::from_utf8(letter.payload) {
        Ok(payload) => {
            raw(",\"payload\":", out);
            string(payload, out);
        }
        Err(_) => {
            raw(",\"payload_base64\":\"", out);
            raw(&STANDARD.encode(letter.payload), out);
            out.push(b'"');
        }
    }
    raw("}\n", out);
    [source]
}

#[cfg(test)]
mod tests;
