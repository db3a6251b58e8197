//! The view when nobody looks at a terminal: one line a window close of the first definition, one an event.

use super::text;
use super::view::Event;
use dataflows::edge::{Table, TickRows};
use dataflows::plan::Plan;
use dataflows::row::WindowRow;

/// The lines of one tick, each with its line end.
pub fn lines(rows: &TickRows, plan: &Plan) -> String {
    let closed = rows.windows.iter().filter(|row| row.window == 0 && row.revision == 0 && !row.deleted);
    let mut out: String = closed.filter_map(|row| Some(window(row, &plan.windows.first()?.name) + "\n")).collect();
    for event in rows.lines[Table::Events as usize].split(|&b| b == b'\n').filter_map(Event::read) {
        out.push_str(&super::draw::event(&event).paint(usize::MAX, false));
        out.push('\n');
    }
    out
}

fn window(row: &WindowRow, name: &str) -> String {
    let c = &row.columns;
    let growth = c.growth_pct.map(|g| format!("{}, ", text::growth(g))).unwrap_or_default();
    let noun = |n: i64, one: &str| format!("{} {one}{}", text::grouped(n), if n == 1 { "" } else { "s" });
    format!(
        "{}  {name}  {}, {}, {growth}{}{}",
        text::clock(row.end, false),
        noun(c.total_sales, "sale"),
        text::money(c.total_revenue),
        noun(c.active_sellers, "seller"),
        if c.partial { ", partial" } else { "" }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use dataflows::plan::Spec;

    #[test]
    fn a_line_a_window_and_a_line_an_event() {
        let plan = Plan::new(&Spec::default()).unwrap();
        let text: String = crate::console::draw::tests::ticks().iter().map(|rows| lines(rows, &plan)).collect();
        assert_eq!(
            text,
            "\
10:00:00  60s/30s  15 sales, 1,857.10, 12 sellers
10:00:30  60s/30s  23 sales, 2,847.50, +47.3 %, 12 sellers
10:00:30  60s/30s  Activity spike, +47.3 % against the window before, 23 sales, 2,847.50; 8 held back before; leading category: \
             Eletrônicos with 43.5 % of the sales
"
        );
    }
}
