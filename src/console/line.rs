//! A line of styled pieces that fits a width.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing special.
    Plain,
    /// The head of a table or of the view.
    Head,
    /// Less important than its neighbours.
    Faint,
    /// More than before.
    Up,
    /// Less than before.
    Down,
    /// Noteworthy.
    Info,
    /// Needs a look.
    Warning,
    /// Needs a look now.
    Critical,
}

impl Role {
    fn style(self) -> Style {
        let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
        match self {
            Role::Plain => Style::new(),
            Role::Head => Style::new().bold(),
            Role::Faint => Style::new().dimmed(),
            Role::Up => colour(AnsiColor::Green),
            Role::Down => colour(AnsiColor::Red),
            Role::Info => colour(AnsiColor::Cyan),
            Role::Warning => colour(AnsiColor::Yellow),
            Role::Critical => colour(AnsiColor::Red).bold(),
        }
    }
}

/// Columns that a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in exactly `columns`, cut with `…` when it is longer; to the right when `right`.
pub fn fit(text: &str, columns: usize, right: bool) -> String {
    let cut = cut(text, columns);
    let blank = " ".repeat(columns.saturating_sub(width(&cut)));
    if right { blank + &cut } else { cut + &blank }
}

/// `text` in at most `columns`.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 1);
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Role, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// The line with one more piece.
    pub fn with(mut self, role: Role, text: impl Into<String>) -> Line {
        self.0.push((role, text.into()));
        self
    }

    /// The line followed by another.
    pub fn then(mut self, mut other: Line) -> Line {
        self.0.append(&mut other.0);
        self
    }

    /// The line with blanks up to `columns`, or cut there.
    pub fn padded(self, columns: usize) -> Line {
        let mut line = Line(self.pieces(columns));
        let used: usize = line.0.iter().map(|(_, text)| width(text)).sum();
        line.0.push((Role::Plain, " ".repeat(columns - used)));
        line
    }

    fn pieces(&self, columns: usize) -> Vec<(Role, String)> {
        let mut left = columns;
        let mut pieces = vec![];
        for (role, text) in &self.0 {
            let piece = cut(text, left);
            left -= width(&piece).min(left);
            let full = piece != *text;
            pieces.push((*role, piece));
            if full {
                break;
            }
        }
        pieces
    }

    /// The line for a terminal of so many columns.
    pub fn paint(&self, columns: usize, colour: bool) -> String {
        let mut out = String::new();
        for (role, text) in self.pieces(columns) {
            if colour && role != Role::Plain {
                let style = role.style();
                out.push_str(&format!("{style}{text}{style:#}"));
            } else {
                out.push_str(&text);
            }
        }
        out.truncate(out.trim_end().len());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit() {
        assert_eq!(fit("abc", 5, false), "abc  ");
        assert_eq!(fit("abc", 5, true), "  abc");
        assert_eq!(fit("abcdef", 4, false), "abc…");
        assert_eq!(fit("Eletrônicos", 8, false), "Eletrôn…");
        // Each of these signs is two columns wide: two and the mark are five, a third would be seven.
        assert_eq!(fit("家電製品", 6, false), "家電… ");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn lines_are_cut_across_pieces() {
        let line = Line::new().with(Role::Head, "abc").with(Role::Plain, "defgh").with(Role::Up, "ij");
        assert_eq!(line.paint(80, false), "abcdefghij");
        assert_eq!(line.paint(6, false), "abcde…");
        assert_eq!(line.paint(3, false), "abc");
        assert_eq!(line.paint(6, true), "\u{1b}[1mabc\u{1b}[0mde…");
        assert_eq!(line.clone().padded(12).then(Line::new().with(Role::Plain, "|")).paint(80, false), "abcdefghij  |");
    }
}
