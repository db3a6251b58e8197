//! What the four kinds of profiles have in common.

use super::env::Env;
use super::fact::Fact;
use super::sums::Sums;
use crate::edge::Table;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is known of a key.
pub trait Profile: Default + 'static {
    /// As it stands in a checkpoint.
    type Saved: Serialize + DeserializeOwned;
    /// Its class.
    const CLASS: usize;
    /// Its table.
    const TABLE: Table;
    /// Takes a record.
    fn add(&mut self, fact: &Fact, env: &Env);
    /// Whether there is a row at `e`. The records of `late`, the oldest first, are known; they came too late for all rows before.
    fn changed(&self, e: u32, late: &[Fact], env: &Env) -> bool;
    /// The looks at which time alone may change what a record of a pane says.
    fn due(pane: u32, env: &Env) -> [u32; 3] {
        [pane + 1 + env.hour; 3]
    }
    /// The columns of the table as of `e`.
    fn look(&mut self, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>);
    /// Vectors as of `e` will be asked for.
    fn begin(&mut self, _e: u32, _env: &Env, _pad: &mut Sums) {}
    /// The columns that a sale takes from this class, after [`Profile::begin`].
    fn score(&mut self, fact: &Fact, e: u32, env: &mut Env, pad: &mut Sums, out: &mut Vec<i64>);
    /// Takes a record between two vectors.
    fn enter(&mut self, fact: &Fact, _e: u32, env: &Env, _pad: &mut Sums) {
        self.add(fact, env);
    }
    /// Reads a little of each list that a look reads, and gives a number that means nothing. Of several keys these reads do not wait
    /// for each other, as those of the looks do.
    fn touch(&self) -> usize;
    /// Forgets what no look from `e` on can need.
    fn forget(&mut self, e: u32, env: &Env);
    /// Whether nothing is known of it any more.
    fn idle(&self) -> bool {
        false
    }
    /// What a checkpoint holds.
    fn save(&self) -> Self::Saved;
    /// As it was saved.
    fn restore(saved: Self::Saved) -> Self;
}
