//! The live view as lines, from what it knows and the size of the terminal.

use super::line::{Line, Role, fit};
use super::text;
use super::view::{Event, Standing, View, best};
use dataflows::edge::Table;
use std::collections::HashMap;

/// Most sellers and categories that are shown.
const TOP: usize = 5;

/// The screen.
pub fn draw(view: &View, width: usize, height: usize) -> Vec<Line> {
    let mut lines = vec![header(view), fates(view), Line::new(), windows_head(view)];
    lines.extend((0..view.windows.len()).map(|i| window(view, i, width)));
    let room = height.saturating_sub(lines.len());
    // The events get at least half of what is left.
    let top = (room / 2).saturating_sub(3).min(TOP);
    if top > 0 && !view.sellers.is_empty() {
        lines.push(Line::new());
        lines.extend(tops(view, width, top));
    }
    lines.push(Line::new());
    lines.push(events_head(view));
    let room = height.saturating_sub(lines.len());
    let skip = view.events.len().saturating_sub(room);
    lines.extend(view.events.iter().skip(skip).map(event));
    lines.truncate(height);
    lines
}

fn header(view: &View) -> Line {
    let pulse = &view.pulse;
    let watermark = match (pulse.watermark, pulse.now) {
        (Some(w), Some(now)) => format!("watermark {}, {} behind", text::clock(w, false), text::span(now - w)),
        (Some(w), None) => format!("watermark {}", text::clock(w, false)),
        (None, _) => "watermark -".into(),
    };
    let rate = view.rate().map_or_else(|| "-".into(), text::grouped);
    let elapsed = text::span(view.elapsed.as_millis() as i64);
    let of = view.duration.map(|d| format!(" of {}", text::span(d.as_millis() as i64))).unwrap_or_default();
    Line::new()
        .with(Role::Head, &view.title)
        .with(Role::Plain, format!("   {watermark}   {rate} sales/s"))
        .with(Role::Faint, format!("   {elapsed}{of}"))
}

fn fates(view: &View) -> Line {
    let bad = |n: u64| if n > 0 { Role::Warning } else { Role::Faint };
    Line::new()
        .with(Role::Faint, "records ")
        .with(Role::Plain, text::grouped(view.pulse.records as i64))
        .with(Role::Faint, "   rejected ")
        .with(bad(view.rejected), text::grouped(view.rejected as i64))
        .with(Role::Faint, "   too late ")
        .with(bad(view.too_late), text::grouped(view.too_late as i64))
        .with(Role::Faint, "   corrected windows ")
        .with(Role::Plain, text::grouped(view.corrections as i64))
}

fn name_width(view: &View) -> usize {
    view.definitions.iter().map(|(name, _)| super::line::width(name)).max().unwrap_or(0).max(6)
}

fn end_width(view: &View) -> usize {
    if view.definitions.iter().any(|(_, slide)| dated(*slide)) { 16 } else { 8 }
}

/// Windows that slide by hours are told with their date.
fn dated(slide: i64) -> bool {
    slide >= 3_600_000
}

fn windows_head(view: &View) -> Line {
    let (name, end) = (fit("WINDOW", name_width(view), false), fit("END", end_width(view), false));
    Line::new().with(
        Role::Faint,
        format!("{name}  {end} {:>7} {:>13} {:>9} {:>9} {:>8}  LAST 30", "SALES", "REVENUE", "TICKET", "GROWTH", "SELLERS"),
    )
}

fn window(view: &View, index: usize, width: usize) -> Line {
    let (name, slide) = &view.definitions[index];
    let line = Line::new().with(Role::Head, fit(name, name_width(view), false));
    let Some(row) = &view.windows[index].newest else { return line.with(Role::Faint, "  no window closed yet") };
    let c = &row.columns;
    let ticket = if c.total_sales == 0 { "-".into() } else { text::money(c.total_revenue / c.total_sales) };
    let (role, growth) = match c.growth_pct {
        Some(g) if g < 0 => (Role::Down, text::growth(g)),
        Some(g) => (Role::Up, text::growth(g)),
        None => (Role::Faint, "-".into()),
    };
    let end = fit(&text::clock(row.end, dated(*slide)), end_width(view), false);
    let figures = format!("  {end} {:>7} {:>13} {ticket:>9} ", text::grouped(c.total_sales), text::money(c.total_revenue));
    let used = name_width(view) + super::line::width(&figures) + 9 + 1 + 8 + 2;
    let sparks = view.sparks(index);
    let room = width.saturating_sub(used).min(sparks.len());
    line.with(Role::Plain, figures)
        .with(role, format!("{growth:>9}"))
        .with(Role::Plain, format!(" {:>8}  ", text::grouped(c.active_sellers)))
        .with(Role::Info, text::sparkline(&sparks[sparks.len() - room..]))
}

fn tops(view: &View, width: usize, n: usize) -> Vec<Line> {
    let left = (width.saturating_sub(3) / 2).clamp(20, 50);
    let units = |s: &Standing| (Role::Plain, format!("{:>9}", text::grouped(s.units)));
    let trend = |s: &Standing| {
        if !view.trends() {
            return (Role::Faint, format!("{:>9}", "-"));
        }
        let role = if s.trend < 0.0 { Role::Down } else { Role::Up };
        (role, format!("{:>9}", text::growth((s.trend * 1e8) as i64)))
    };
    let sellers = top(&view.sellers, "TOP SELLERS (1 H)", "UNITS", left, n, &units);
    let categories = top(&view.categories, "TOP CATEGORIES (30 MIN)", "TREND", left, n, &trend);
    let blank = std::iter::repeat_with(Line::new);
    sellers.into_iter().zip(categories.into_iter().chain(blank)).map(|(s, c)| s.padded(left + 3).then(c)).collect()
}

fn top(
    of: &HashMap<String, Standing>,
    title: &str,
    last: &str,
    width: usize,
    n: usize,
    figure: &dyn Fn(&Standing) -> (Role, String),
) -> Vec<Line> {
    let name = width.saturating_sub(14 + 9).max(8);
    let head = format!("{}{:>14}{last:>9}", fit(title, name, false), "REVENUE");
    let mut lines = vec![Line::new().with(Role::Faint, head)];
    for (key, standing) in best(of, n) {
        let revenue = text::money((standing.revenue * 100.0).round() as i64);
        let (role, figure) = figure(standing);
        lines.push(Line::new().with(Role::Plain, format!("{}{revenue:>14}", fit(key, name, false))).with(role, figure));
    }
    lines
}

fn events_head(view: &View) -> Line {
    let count = |table: Table| view.rows[table as usize];
    let sent = text::grouped(count(Table::Events) as i64);
    let held: u64 = view.events.iter().map(|e| e.suppressed_since_last).sum();
    let held = if held > 0 { format!(", {} held back before them", text::grouped(held as i64)) } else { String::new() };
    Line::new().with(Role::Faint, format!("EVENTS   {sent} sent{held}"))
}

/// An event as one line.
pub fn event(event: &Event) -> Line {
    let role = match (event.retracts.is_some(), event.severity.as_str()) {
        (true, _) => Role::Faint,
        (_, "critical") => Role::Critical,
        (_, "warning") => Role::Warning,
        _ => Role::Info,
    };
    let line = Line::new()
        .with(Role::Faint, format!("{}  {}  ", event.time(), text::tame(&event.window)))
        .with(role, text::tame(&event.message));
    let held = match event.suppressed_since_last {
        0 => String::new(),
        n => format!("; {n} held back before"),
    };
    let insights: String = event.insights.iter().map(|i| format!("; {}", text::tame(i))).collect();
    line.with(Role::Faint, held + &insights)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::console::view::Pulse;
    use dataflows::edge::TickRows;
    use dataflows::plan::{Plan, Spec};
    use dataflows::row::{WindowColumns, WindowRow};
    use std::time::Duration;

    /// 2026-01-31T10:00:00Z
    const TEN: i64 = 1_769_853_600_000;

    fn row(window: u8, end: i64, revision: u32, sales: i64, growth: Option<i64>) -> WindowRow {
        let columns = WindowColumns {
            total_sales: sales,
            total_revenue: sales * 12_380 + 10,
            active_sellers: 12,
            growth_pct: growth,
            ..WindowColumns::default()
        };
        WindowRow { window, start: end - 60_000, end, revision, deleted: false, columns }
    }

    /// Two ticks of rows, as the engine hands them over.
    pub fn ticks() -> Vec<TickRows> {
        let mut first =
            TickRows { learned: 1, windows: vec![row(0, TEN, 0, 15, None), row(1, TEN, 0, 230, None)], ..Default::default() };
        first.lines[Table::SellerFeatures as usize] = concat!(
            r#"{"key":"Loja Azul","as_of":"2026-01-31T10:00:00.000Z","revision":0,"seller_volume_last_1h":120,"seller_revenue_last_1h":4120.50,"seller_orders_last_1h":80,"n_support":90}"#, "\n",
            r#"{"key":"Casa Nova","as_of":"2026-01-31T10:00:00.000Z","revision":0,"seller_volume_last_1h":12,"seller_revenue_last_1h":9120.00,"seller_orders_last_1h":8,"n_support":9}"#, "\n",
            r#"{"key":"Gone","as_of":"2026-01-31T10:00:00.000Z","revision":1,"deleted":true}"#, "\n",
        ).into();
        first.lines[Table::CategoryFeatures as usize] = concat!(
            r#"{"key":"Eletrônicos","as_of":"2026-01-31T10:00:00.000Z","revision":0,"category_trend_30min":-0.125000,"category_trend_30min_se":0.010000,"category_revenue_30min":800.00,"category_volume_30min":7,"price_mean_ln":4.100000,"price_sd_ln":0.700000,"n":6,"n_support":6}"#, "\n",
        ).into();
        let mut second = TickRows {
            learned: 2,
            windows: vec![
                row(0, TEN, 1, 16, None),
                row(0, TEN + 30_000, 0, 23, Some(47_300_000)),
                row(1, TEN + 1_000, 0, 228, Some(-900_000)),
            ],
            ..Default::default()
        };
        second.lines[Table::Events as usize] = concat!(
            r#"{"event_id":"00","type":"activity_spike","level":"global","key":"all","severity":"warning","window":"60s/30s","window_start":"2026-01-31T09:59:30.000Z","window_end":"2026-01-31T10:00:30.000Z","revision":0,"value":23,"expected":15.000000,"score":1.500000,"growth_pct":47.300000,"message":"Activity spike, +47.3 % against the window before, 23 sales, 2,847.50","insights":["leading category: Eletrônicos with 43.5 % of the sales"],"suppressed_since_last":8,"cooldown_s":240,"retracts":null,"lineage":{}}"#, "\n",
        ).into();
        second.rows[Table::Events as usize] = 1;
        second.lines[Table::DeadLetters as usize] = concat!(
            r#"{"source":"a","disposition":"rejected","payload":"x"}"#,
            "\n",
            r#"{"source":"a","disposition":"too_late","payload":"x"}"#,
            "\n",
        )
        .into();
        vec![first, second]
    }

    fn view() -> View {
        let mut view = View::new("Vitrine demo", &Plan::new(&Spec::default()).unwrap(), Some(Duration::from_secs(60)));
        ticks().iter().for_each(|rows| view.tick(rows));
        let pulse = |records| Pulse { records, watermark: Some(TEN + 30_000), now: Some(TEN + 32_000) };
        view.pulse(Duration::from_secs(10), pulse(10_000));
        view.pulse(Duration::from_secs(12), pulse(12_345));
        view
    }

    fn shown(view: &View, width: usize, height: usize) -> String {
        draw(view, width, height).iter().map(|line| line.paint(width, false) + "\n").collect()
    }

    #[test]
    fn the_screen() {
        // rate: 2,345 records in 2 s, half up
        assert_eq!(
            shown(&view(), 110, 24),
            "\
Vitrine demo   watermark 10:00:30, 2.0 s behind   1,173 sales/s   12.0 s of 01:00
records 12,345   rejected 1   too late 1   corrected windows 1

WINDOW   END        SALES       REVENUE    TICKET    GROWTH  SELLERS  LAST 30
60s/30s  10:00:30      23      2,847.50    123.80   +47.3 %       12                              ▅█
15m/1s   10:00:01     228     28,226.50    123.80    -0.9 %       12                              █▇

TOP SELLERS (1 H)                 REVENUE    UNITS   TOP CATEGORIES (30 MIN)           REVENUE    TREND
Casa Nova                        9,120.00       12   Eletrônicos                        800.00        -
Loja Azul                        4,120.50      120

EVENTS   1 sent, 8 held back before them
10:00:30  60s/30s  Activity spike, +47.3 % against the window before, 23 sales, 2,847.50; 8 held back before;…
"
        );
    }

    /// A trend is shown once the half hour that it looks at was seen.
    #[test]
    fn trends_wait_for_their_half_hour() {
        let trend = |minutes: i64| {
            let mut view = view();
            let pulse = Pulse { records: 0, watermark: Some(TEN + 30_000 + minutes * 60_000), now: None };
            view.pulse(Duration::from_secs(13), pulse);
            shown(&view, 110, 24).contains("800.00  -12.5 %")
        };
        assert_eq!((trend(29), trend(30)), (false, true));
    }

    #[test]
    fn a_small_screen_is_filled_and_not_passed() {
        for (width, height) in [(80, 10), (40, 6), (20, 3), (5, 1), (0, 0)] {
            let screen = shown(&view(), width, height);
            assert!(screen.lines().count() <= height, "{width}x{height}:\n{screen}");
            assert!(screen.lines().all(|line| crate::console::line::width(line) <= width), "{width}x{height}:\n{screen}");
        }
    }

    #[test]
    fn before_anything_is_known() {
        let view = View::new("Vitrine demo", &Plan::new(&Spec::default()).unwrap(), None);
        assert_eq!(
            shown(&view, 80, 24),
            "\
Vitrine demo   watermark -   - sales/s   0.0 s
records 0   rejected 0   too late 0   corrected windows 0

WINDOW   END        SALES       REVENUE    TICKET    GROWTH  SELLERS  LAST 30
60s/30s  no window closed yet
15m/1s   no window closed yet

EVENTS   0 sent
"
        );
    }

    #[test]
    fn a_seller_without_sales_leaves_the_table() {
        let mut view = view();
        let mut rows = TickRows::default();
        rows.lines[Table::SellerFeatures as usize] =
            br#"{"key":"Casa Nova","as_of":"2026-01-31T10:30:00.000Z","revision":0,"seller_volume_last_1h":0,"seller_revenue_last_1h":0.00}"#.to_vec();
        view.tick(&rows);
        assert_eq!(best(&view.sellers, 9).iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["Loja Azul"]);
        // What an older row says no longer counts.
        rows.lines[Table::SellerFeatures as usize] =
            br#"{"key":"Loja Azul","as_of":"2026-01-31T09:00:00.000Z","revision":1,"seller_volume_last_1h":1,"seller_revenue_last_1h":1.00}"#.to_vec();
        view.tick(&rows);
        assert_eq!(view.sellers["Loja Azul"].units, 120);
    }
}
