//! The `vitrine` command.
fn main() {}
