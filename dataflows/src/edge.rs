//! What leaves the dataflow, on worker 0 of process 0, epoch by epoch: first the dead letters of the epoch, then the rows of
//! each tick that it closed, windows and events before features, in the order of the contract, then the word that this was all. So the sink always stands between two
//! epochs or within one, and what it has taken up to an end is a function of the bindings and the records.

pub mod balance;
pub mod certificate;
pub mod letters;
pub mod order;
pub mod collect;

use crate::clock::Binding;
use crate::message::Original;
use crate::row::WindowRow;
use crate::row::json::Cut;
use serde::{Deserialize, Serialize};

/// The tables, in the order in which the certificate takes them, which knows them by their place: new ones come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// `windows`
    Windows,
    /// `seller_features`
    SellerFeatures,
    /// `category_features`
    CategoryFeatures,
    /// `events`
    Events,
    /// `suppressed`
    Suppressed,
    /// `dead_letters`
    DeadLetters,
    /// `episodes`
    Episodes,
    /// `product_features`
    ProductFeatures,
    /// `customer_features`
    CustomerFeatures,
    /// `scores`
    Scores,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; Table::COUNT] = [
        Table::Windows,
        Table::SellerFeatures,
        Table::CategoryFeatures,
        Table::Events,
        Table::Suppressed,
        Table::DeadLetters,
        Table::Episodes,
        Table::ProductFeatures,
        Table::CustomerFeatures,
        Table::Scores,
    ];

    /// How many there are.
    pub const COUNT: usize = 10;

    /// As files and topics are named.
    pub fn name(self) -> &'static str {
        match self {
            Table::Windows => "windows",
            Table::SellerFeatures => "seller_features",
            Table::CategoryFeatures => "category_features",
            Table::Events => "events",
            Table::Suppressed => "suppressed",
            Table::DeadLetters => "dead_letters",
            Table::Episodes => "episodes",
            Table::ProductFeatures => "product_features",
            Table::CustomerFeatures => "customer_features",
            Table::Scores => "scores",
        }
    }
}

/// Rows of one learned tick, those of windows and events or all others, or the dead letters of one epoch.
#[derive(Debug, Default)]
pub struct TickRows {
    /// The learned tick; of dead letters the one that was open when the records were released.
    pub learned: u32,
    /// By [`Table`] as index: the rows as JSON lines, each with its line end, in the order of the contract.
    pub lines: [Vec<u8>; Table::COUNT],
    /// By [`Table`] as index: number of rows.
    pub rows: [u64; Table::COUNT],
    /// The rows of `windows` once more, as values (few: one a window and tick), for the console.
    pub windows: Vec<WindowRow>,
    /// What came with the record of each dead letter, in the order of their lines, where the input is made of messages.
    pub originals: Vec<Original>,
    /// The certificate of all rows up to here, in hex.
    pub certificate: String,
}

/// Where sinks stand, by name, in their own words.
pub type Marks = std::collections::BTreeMap<String, String>;

/// Takes what leaves, epoch by epoch: [`tick`](RowSink::tick) with the dead letters of the epoch if there are any, `tick` with
/// the windows and events of each tick that the epoch closed and once more with its other rows, where there are any, in order of
/// ticks, then [`epoch`](RowSink::epoch). An error stops the run;
/// nothing more is handed over after it.
pub trait RowSink {
    /// Takes rows of one tick, or the dead letters of one epoch.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn tick(&mut self, rows: &TickRows) -> Result<(), String>;
    /// All rows and dead letters of this epoch, and of those before, have been handed over.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn epoch(&mut self, _binding: &Binding) -> Result<(), String> {
        Ok(())
    }
    /// What a checkpoint must hold of the sink, which stands between two epochs: under a name of its own each. What was handed
    /// over is where others can read it. A sink that passes things on asks those behind it; one without a place adds nothing.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn save(&mut self, into: &mut Marks) -> Result<(), String>;
    /// The run goes on from a checkpoint; called before all else.
    ///
    /// # Errors
    /// In words for a person: what failed and what to do.
    fn resume(&mut self, from: &Marks) -> Result<(), String>;
    /// All ticks have been handed over. `unrevised`: by window definition, instances that late records found too old to be
    /// revised.
    fn ended(&mut self, _unrevised: &[u64]) {}
}

/// Rows of one table learned at one tick, as lines, on their way to worker 0.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Batch {
    /// The learned tick.
    pub s: u32,
    /// Which table, an index into [`Table::ALL`].
    pub table: u8,
    /// Where each row stands in `text`, and its place in the order of the table.
    pub rows: Vec<RowAt>,
    text: Vec<u8>,
    /// The names of the rows, by which they are sorted: apart from the lines, so that they lie close together.
    names: Vec<u8>,
    /// Parts of `text` that the certificate leaves out, in order.
    cuts: Vec<(usize, usize)>,
    /// Rows of `windows` as values.
    pub windows: Vec<WindowRow>,
}

/// A row of a [`Batch`]. Rows leave in the order of (`end`, `offset`, name).
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct RowAt {
    end: u32,
    offset: u64,
    /// Places in 64 bits: one tick of a fast replay may have more than 4 GiB of rows.
    name: (usize, usize),
    line: (usize, usize),
}

impl Batch {
    /// No rows yet.
    pub fn new(s: u32, table: Table) -> Batch {
        Batch { s, table: table as u8, ..Batch::default() }
    }

    /// Adds a row with its place in the order: the end of its window, its `as_of` or its input, and its offset.
    pub fn row(&mut self, place: (u32, u64), name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        self.row_named(place, name.as_bytes(), write);
    }

    /// The same with a place of any bytes.
    pub fn row_named(&mut self, (end, offset): (u32, u64), name: &[u8], write: impl FnOnce(&mut Vec<u8>)) {
        let (name_at, line_at) = (self.names.len(), self.text.len());
        self.names.extend_from_slice(name);
        write(&mut self.text);
        let (name, line) = ((name_at, self.names.len()), (line_at, self.text.len()));
        self.rows.push(RowAt { end, offset, name, line });
    }

    /// The same for a line of which the certificate leaves out what names the engine or the source. The parts come in order.
    pub fn row_with_cuts<const N: usize>(&mut self, place: (u32, u64), name: &str, write: impl FnOnce(&mut Vec<u8>) -> [Cut; N]) {
        let mut cuts = [(0, 0); N];
        self.row(place, name, |text| cuts = write(text));
        self.cuts.extend(cuts);
    }

    /// Makes room for so many bytes of rows.
    pub fn reserve(&mut self, bytes: usize) {
        self.text.reserve(bytes);
    }

    /// Bytes of the rows.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Puts the rows from `first` on in another order: which of them is first, which second, and so on.
    pub fn order(&mut self, first: usize, order: &[u32]) {
        let rows: Vec<RowAt> = order.iter().map(|i| self.rows[first + *i as usize]).collect();
        self.rows[first..].copy_from_slice(&rows);
    }

    /// The lines of all rows, in the order of the contract.
    #[cfg(test)]
    pub fn lines(&self) -> Vec<String> {
        let mut rows: Vec<&RowAt> = self.rows.iter().collect();
        rows.sort_by(|a, b| self.place(a).cmp(&self.place(b)));
        rows.into_iter().map(|row| String::from_utf8_lossy(self.line(row)).trim_end().to_string()).collect()
    }

    /// The lines as they stand one after the other, if that is the order of the rows and the certificate takes all of them.
    fn take_ordered(&mut self) -> Option<Vec<u8>> {
        let follows = |pair: &[RowAt]| pair[0].line.1 == pair[1].line.0 && self.place(&pair[0]) <= self.place(&pair[1]);
        let whole = self.cuts.is_empty() && self.rows.first().is_none_or(|first| first.line.0 == 0);
        (whole && self.rows.windows(2).all(follows)).then(|| std::mem::take(&mut self.text))
    }

    fn part(&self, (from, to): (usize, usize)) -> &[u8] {
        &self.text[from..to]
    }

    fn place(&self, row: &RowAt) -> (u32, u64, &[u8]) {
        (row.end, row.offset, &self.names[row.name.0..row.name.1])
    }

    fn line(&self, row: &RowAt) -> &[u8] {
        self.part(row.line)
    }

    /// The parts of a line that the certificate takes.
    fn certified(&self, row: &RowAt) -> impl Iterator<Item = &[u8]> + Clone {
        let (mut from, to) = row.line;
        let first = self.cuts.partition_point(|cut| cut.0 < from);
        let cuts = self.cuts[first..].iter().copied().take_while(move |cut| cut.0 < to);
        cuts.chain([(to, to)]).map(move |(start, end)| {
            let kept = (from, start);
            from = end;
            self.part(kept)
        })
    }
}
